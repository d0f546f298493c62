#include "stepwise/theory/embedding.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "stepwise/dist/agree.hpp"
#include "stepwise/theory/alignment.hpp"
#include "stepwise/theory/timescales.hpp"
#include "theory/problem.hpp"

namespace stepwise {
namespace {

using test::every_grid;
using test::kernel_matrix;
using test::learned_kernel;
using test::Pairs;
using test::random_pairs;
using test::replicate;
using test::world;

const Pairs three_pairs{3, {1, 0, .5, .9, .1, .5, 0, 1, -.5, .2, 1.1, -.4, 1, 1, 0, .8, 1.2, .3}};
using test::Method;
constexpr std::array every_method{Method::cholesky, Method::spectral, Method::krylov};

Embedding embedding_of(const Kernel& kernel, const Pairs& pairs, const std::shared_ptr<const ProcessGrid>& grid,
                       std::int64_t d, Method method = Method::cholesky, std::int64_t block = 8) {
  return training_embedding(test::modes_of(kernel_matrix(kernel, pairs, grid, block), d, method), world());
}

BlockVector embed_samples(const Kernel& kernel, const Pairs& pairs, const Embedding& embedding, const Pairs& fresh) {
  const Samples own = pairs.pick(test::range_numbers(embedding.train.range.begin, embedding.train.range.end));
  return embed(kernel, embedding, own, world(), fresh.samples(),
               [&](Range batch) { return fresh.pick(test::range_numbers(batch.begin, batch.end)); });
}

TEST(Embedding, FortyDigitPipelineValues) {
  struct Row {
    Kernel kernel;
    std::array<double, 4> k_emb;  // (0,0) (0,1) (0,3) (2,5), samples numbered first views first
    double test;
  };
  const std::vector<Row> rows{
      {LinearKernel{},
       {2.311717748551307, -1.268372997434214, 2.083380805774076, 1.920980883945471},
       .7716501468192524},
      {RbfKernel{1}, {2.614572977002852, -.75332034860889, 2.552808439061271, 1.229178597031226}, 1.469639069208074}};
  const Pairs fresh{3, {.5, .5, .5}};
  for (const auto& grid : every_grid()) {
    for (const auto& row : rows) {
      for (const auto method : every_method) {
        const double limit = method == Method::krylov ? 1e-10 : 1e-13;  // of its tolerance, of rounding
        const Embedding embedding = embedding_of(row.kernel, three_pairs, grid, 2, method);
        const auto k = learned_kernel(embedding.train);
        EXPECT_NEAR(k[0 * 6 + 0], row.k_emb[0], limit);
        EXPECT_NEAR(k[0 * 6 + 2], row.k_emb[1], limit);
        EXPECT_NEAR(k[0 * 6 + 1], row.k_emb[2], limit);
        EXPECT_NEAR(k[4 * 6 + 5], row.k_emb[3], limit);
        const auto f = replicate(embed_samples(row.kernel, three_pairs, embedding, fresh));
        EXPECT_NEAR(f[0] * f[0] + f[1] * f[1], row.test, limit);
      }
    }
  }
}

TEST(Embedding, IsWhiteOverPairs) {
  const Pairs pairs = random_pairs(40, 8, .3);
  for (const auto& grid : every_grid()) {
    for (const auto method : every_method) {
      EXPECT_LE(whiteness_error(embedding_of(RbfKernel{3}, pairs, grid, 10, method), world()), 1e-11);
    }
  }
}

/// f_j(x) = gamma_j^{-1/2} sum_i a_ij k(x_i, x) is the definition; embed() needs neither a nor an inverse.
TEST(Embedding, OutOfSampleFormulaAgreesWithTheDefinition) {
  const Pairs pairs = random_pairs(25, 6, .4);
  const Pairs fresh = random_pairs(300, 6, 1, 99);  // more than two batches
  const Kernel kernel = fully_connected(NetworkKernel::ntk, {{2, .1}, {2, .1}, {2, .1}});
  const std::int64_t d = 5;
  for (const auto& grid : every_grid()) {
    const Embedding embedding = embedding_of(kernel, pairs, grid, d);
    const auto f = replicate(embed_samples(kernel, pairs, embedding, fresh));
    const auto dual = replicate(embedding.dual);
    const Samples train = pairs.pick(test::range_numbers(0, pairs.samples()));
    const Samples test = fresh.pick(test::range_numbers(0, fresh.samples()));
    std::vector<double> k(static_cast<std::size_t>(train.count * test.count));
    evaluate(kernel, train, {0, train.count}, test, {0, test.count}, {k.data(), train.count, test.count, train.count});
    for (std::int64_t t = 0; t < test.count; ++t) {
      for (std::int64_t j = 0; j < d; ++j) {
        double expected = 0;
        for (std::int64_t i = 0; i < train.count; ++i) {
          expected += dual[static_cast<std::size_t>(i * d + j)] * k[static_cast<std::size_t>(i + t * train.count)];
        }
        expected /= std::sqrt(embedding.gamma[static_cast<std::size_t>(j)]);
        ASSERT_NEAR(f[static_cast<std::size_t>(t * d + j)], expected, 1e-9) << t << " " << j;
      }
    }
    // The training samples themselves come out as they went in.
    const auto again = replicate(embed_samples(kernel, pairs, embedding, pairs));
    const auto before = replicate(embedding.train);
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(again[i], before[i], 1e-10);
  }
}

TEST(Embedding, AReaderThatFailsOnOneRankFailsOnAll) {
  const Embedding embedding = embedding_of(LinearKernel{}, three_pairs, every_grid().front(), 2);
  const Samples own = three_pairs.pick(test::range_numbers(embedding.train.range.begin, embedding.train.range.end));
  EXPECT_THROW((void)embed(LinearKernel{}, embedding, own, world(), 10,
                           [&](Range) -> Samples {
                             if (world().rank() == world().size() - 1) fail(ExitCode::io, "gone");
                             return three_pairs.pick({0});
                           }),
               CollectiveError);
}

TEST(Embedding, GridsBlocksPermutationsAndSwappedViewsChangeNothing) {
  const Kernel kernel = RbfKernel{3};
  const std::int64_t n = 32;
  const Pairs pairs = random_pairs(n, 6, .3);
  const Embedding reference = embedding_of(kernel, pairs, every_grid().front(), 5);
  const auto k = learned_kernel(reference.train);
  const double scale = *std::max_element(k.begin(), k.end());
  for (const auto& grid : every_grid()) {
    for (const std::int64_t block : {2, 6, 16, 64}) {
      const Embedding other = embedding_of(kernel, pairs, grid, 5, Method::cholesky, block);
      const auto k_other = learned_kernel(other.train);
      for (std::size_t j = 0; j < 5; ++j) EXPECT_NEAR(other.gamma[j] / reference.gamma[j], 1, 1e-11);
      for (std::size_t i = 0; i < k.size(); ++i) EXPECT_NEAR(k_other[i], k[i], 1e-11 * scale);
    }
  }
  // Pair i becomes pair n - 1 - i, and every third pair swaps its views.
  std::vector<std::int64_t> order;
  for (std::int64_t i = n - 1; i >= 0; --i) {
    const std::int64_t swap = i % 3 == 0 ? 1 : 0;
    order.push_back(2 * i + swap);
    order.push_back(2 * i + 1 - swap);
  }
  const Pairs shuffled{6, pairs.pick(order).data};
  const Embedding other = embedding_of(kernel, shuffled, every_grid().back(), 5);
  const auto k_other = learned_kernel(other.train);
  const auto size = static_cast<std::size_t>(2 * n);
  for (std::size_t j = 0; j < 5; ++j) EXPECT_NEAR(other.gamma[j] / reference.gamma[j], 1, 1e-11);
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j < size; ++j) {
      EXPECT_NEAR(k_other[i * size + j],
                  k[static_cast<std::size_t>(order[i]) * size + static_cast<std::size_t>(order[j])], 1e-11 * scale);
    }
  }
}

TEST(Embedding, SignsFollowTheConventionOnEveryGrid) {
  const Pairs pairs = random_pairs(21, 6, .3);
  const auto first = replicate(embedding_of(RbfKernel{3}, pairs, every_grid().front(), 4).train);
  for (std::size_t j = 0; j < 4; ++j) {
    double largest = 0;
    for (std::size_t s = 0; s < 42; ++s) {
      if (std::abs(first[4 * s + j]) > std::abs(largest) * (1 + 1e-6)) largest = first[4 * s + j];
    }
    EXPECT_GT(largest, 0);
  }
  for (const auto& grid : every_grid()) {
    const auto other = replicate(embedding_of(RbfKernel{3}, pairs, grid, 4, Method::spectral).train);
    for (std::size_t i = 0; i < first.size(); ++i) EXPECT_NEAR(other[i], first[i], 1e-10);
  }
}

TEST(Align, DiagonalIsNonNegativeAndReproducesM) {
  const std::int64_t d = 6;
  std::vector<double> m(static_cast<std::size_t>(d * d));
  for (std::size_t i = 0; i < m.size(); ++i) m[i] = test::normal_entry(static_cast<std::int64_t>(i), 3);
  const InitialCondition start = align({m.data(), d, d, d});
  // U^T M is upper triangular with diagonal s0, and U is orthogonal.
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_GE(start.s0[i], 0);
    for (std::size_t j = 0; j < 6; ++j) {
      double r = 0;
      double gram = 0;
      for (std::size_t k = 0; k < 6; ++k) {
        r += start.u[k + i * 6] * m[k + j * 6];
        gram += start.u[k + i * 6] * start.u[k + j * 6];
      }
      EXPECT_NEAR(gram, i == j ? 1 : 0, 1e-14);
      if (i >= j) {
        EXPECT_NEAR(r, i == j ? start.s0[i] : 0, 1e-14);
      }
    }
  }
  EXPECT_THROW((void)align({m.data(), 2, 3, 2}), Error);
}

/// Linear model W with small W(0): integrating dW/dt = 4 (I - C) W Gamma numerically must follow s_j(t) of the aligned
/// start, and the start must be the same seen through weights (eq. 41) and through outputs (eq. 42).
TEST(Align, GradientFlowFollowsTheClosedForm) {
  const std::int64_t m = 5;
  const std::int64_t d = 2;
  const Pairs pairs = random_pairs(20, m, .3);
  const auto n = static_cast<double>(pairs.samples());
  const Embedding embedding = embedding_of(LinearKernel{}, pairs, every_grid().front(), d);
  const auto dual = replicate(embedding.dual);
  const auto x = [&](std::int64_t s, std::int64_t k) { return pairs.data[static_cast<std::size_t>(s * m + k)]; };

  std::array<double, 25> gamma{};
  std::array<double, 10> g{};  // g_j = Phi^T a_j, m x d
  for (std::int64_t s = 0; s < pairs.samples(); ++s) {
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < m; ++j) gamma[static_cast<std::size_t>(i + j * m)] += x(s, i) * x(s ^ 1, j) / n;
      for (std::int64_t j = 0; j < d; ++j) {
        g[static_cast<std::size_t>(i + j * m)] += x(s, i) * dual[static_cast<std::size_t>(s * d + j)];
      }
    }
  }
  std::array<double, 10> w{};  // d x m
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = 1e-4 * test::normal_entry(static_cast<std::int64_t>(i), 11);

  const auto w_times_g = [&](const std::array<double, 10>& weights) {
    std::array<double, 4> product{};
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::size_t j = 0; j < 2; ++j) {
        for (std::size_t k = 0; k < 5; ++k) product[i + 2 * j] += weights[i + 2 * k] * g[k + 5 * j];
      }
    }
    return product;
  };
  const auto explicit_product = w_times_g(w);
  const InitialCondition by_weights = align({explicit_product.data(), d, d, d});
  BlockVector f0 = make_block_vector(world(), pairs.samples(), d, 2);
  for (std::int64_t s = f0.range.begin; s < f0.range.end; ++s) {
    for (std::int64_t i = 0; i < d; ++i) {
      for (std::int64_t k = 0; k < m; ++k) {
        f0.local()(i, s - f0.range.begin) += w[static_cast<std::size_t>(i + d * k)] * x(s, k);
      }
    }
  }
  const InitialCondition start = align_outputs(f0, embedding, world());
  for (std::size_t j = 0; j < 2; ++j) EXPECT_NEAR(start.s0[j], by_weights.s0[j], 1e-15);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(start.u[i], by_weights.u[i], 1e-10);

  // From the aligned start U S(0) G^T the prediction is exact.
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t k = 0; k < 5; ++k) {
      w[i + 2 * k] = 0;
      for (std::size_t j = 0; j < 2; ++j) w[i + 2 * k] += start.u[i + 2 * j] * start.s0[j] * g[k + 5 * j];
    }
  }
  const auto rate = [&](const std::array<double, 10>& weights) {
    std::array<double, 10> wg{};
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::size_t l = 0; l < 5; ++l) {
        for (std::size_t k = 0; k < 5; ++k) wg[i + 2 * l] += weights[i + 2 * k] * gamma[k + 5 * l];
      }
    }
    std::array<double, 4> rest{1, 0, 0, 1};  // I - C
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::size_t j = 0; j < 2; ++j) {
        for (std::size_t k = 0; k < 5; ++k) rest[i + 2 * j] -= wg[i + 2 * k] * weights[j + 2 * k];
      }
    }
    std::array<double, 10> result{};
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::size_t k = 0; k < 5; ++k) {
        for (std::size_t j = 0; j < 2; ++j) result[i + 2 * k] += 4 * rest[i + 2 * j] * wg[j + 2 * k];
      }
    }
    return result;
  };
  const auto plus = [](std::array<double, 10> a, double h, const std::array<double, 10>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] += h * b[i];
    return a;
  };
  const double end = 2 * timescale(embedding.gamma[1], start.s0[1]);
  const int steps = 20000;
  const double h = end / steps;
  for (int step = 0; step <= steps; ++step) {
    if (step % 1000 == 0) {
      const auto product = w_times_g(w);  // U^T W G = S(t)
      for (std::size_t j = 0; j < 2; ++j) {
        double s = 0;
        for (std::size_t i = 0; i < 2; ++i) s += start.u[i + 2 * j] * product[i + 2 * j];
        EXPECT_NEAR(s, singular_value(embedding.gamma[j], start.s0[j], step * h), 1e-8) << step << " " << j;
      }
    }
    const auto k1 = rate(w);
    const auto k2 = rate(plus(w, h / 2, k1));
    const auto k3 = rate(plus(w, h / 2, k2));
    const auto k4 = rate(plus(w, h, k3));
    for (std::size_t i = 0; i < w.size(); ++i) w[i] += h / 6 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
  }
}

}  // namespace
}  // namespace stepwise
