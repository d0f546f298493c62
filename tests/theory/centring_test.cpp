#include "stepwise/theory/centring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "theory/problem.hpp"

namespace stepwise {
namespace {

using test::every_grid;
using test::kernel_matrix;
using test::Method;
using test::Pairs;
using test::random_pairs;
using test::world;

const Kernel rbf = RbfKernel{2};

struct Case {
  std::int64_t views;
  std::int64_t kinds;
};
constexpr std::array cases{Case{2, 1}, Case{3, 1}, Case{2, 2}};

std::size_t at(std::int64_t i, std::int64_t j, std::int64_t n) {
  return static_cast<std::size_t>(i + j * n);
}

/// (I - J) K (I - J) as it reads, with rows of another set of samples for K and its own mean kept: K is rows x n.
std::vector<double> dense_centred(const std::vector<double>& k, std::int64_t n, std::int64_t kinds) {
  std::vector<double> j(static_cast<std::size_t>(n * n));
  for (std::int64_t a = 0; a < n; ++a) {
    for (std::int64_t b = 0; b < n; ++b) {
      j[at(a, b, n)] =
          (a == b ? 1.0 : 0.0) - (a % kinds == b % kinds ? static_cast<double>(kinds) : 0.0) / static_cast<double>(n);
    }
  }
  const auto times = [n](const std::vector<double>& a, const std::vector<double>& b) {
    std::vector<double> c(a.size());
    for (std::int64_t col = 0; col < n; ++col) {
      for (std::int64_t l = 0; l < n; ++l) {
        for (std::int64_t row = 0; row < n; ++row) c[at(row, col, n)] += a[at(row, l, n)] * b[at(l, col, n)];
      }
    }
    return c;
  };
  return times(j, times(k, j));
}

ProductWithK product_with(const DistMatrix& k, std::int64_t views) {
  return BlockProduct(k, views);
}

TEST(Centring, MatrixProductAndMeansAreTheDenseOnes) {
  for (const auto [views, kinds] : cases) {
    const Pairs pairs = random_pairs(9, 5, .4, 3, views);
    const std::int64_t n = pairs.samples();
    for (const auto& grid : every_grid()) {
      DistMatrix k = kernel_matrix(rbf, pairs, grid, 6);
      const auto plain = test::replicate(k);
      const auto expected = dense_centred(plain, n, kinds);
      const Centring centring{kinds};

      const ProductWithK product = centred(centring, world(), n, views, product_with(k, views));
      BlockVector v = make_block_vector(world(), n, 3, views);
      for (std::int64_t s = 0; s < v.range.size(); ++s) {
        for (std::int64_t j = 0; j < 3; ++j) v.local()(j, s) = test::normal_entry(v.range.begin + s, j);
      }
      BlockVector y = v;
      product(v.local(), y.local());
      for (std::int64_t s = 0; s < v.range.size(); ++s) {
        for (std::int64_t j = 0; j < 3; ++j) {
          double sum = 0;
          for (std::int64_t i = 0; i < n; ++i) sum += expected[at(v.range.begin + s, i, n)] * test::normal_entry(i, j);
          EXPECT_NEAR(y.local()(j, s), sum, 1e-13);
        }
      }

      const double pair_kernel = mean_pair_kernel(k, {views});
      const auto means = test::replicate(row_means(centring, world(), n, views, product_with(k, views)));
      const BlockVector own = centre(centring, k, views);
      EXPECT_NEAR(centred_mean_pair_kernel(pair_kernel, own, world()), mean_pair_kernel(k, {views}), 1e-14);
      const auto again = test::replicate(own);
      const auto found = test::replicate(k);
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t kind = 0; kind < kinds; ++kind) {
          double mean = 0;
          for (std::int64_t l = kind; l < n; l += kinds) mean += plain[at(i, l, n)];
          mean *= static_cast<double>(kinds) / static_cast<double>(n);
          EXPECT_NEAR(means[at(kind, i, kinds)], mean, 1e-14);
          EXPECT_NEAR(again[at(kind, i, kinds)], mean, 1e-14);
        }
        for (std::int64_t l = 0; l < n; ++l) {
          EXPECT_NEAR(found[at(i, l, n)], expected[at(i, l, n)], 1e-14);
          EXPECT_EQ(found[at(i, l, n)], found[at(l, i, n)]);
        }
      }
    }
  }
}

/// The formula for new samples gives the training samples back, and the definition with the centred kernel elsewhere.
TEST(Centring, NewSamplesAreEmbeddedWithTheOffset) {
  for (const auto [views, kinds] : cases) {
    const Pairs pairs = random_pairs(9, 5, .4, 3, views);
    const std::int64_t n = pairs.samples();
    const Centring centring{kinds};
    for (const auto& grid : every_grid()) {
      for (const auto method : {Method::spectral, Method::krylov}) {
        DistMatrix k = kernel_matrix(rbf, pairs, grid, 6);
        BlockVector means = centre(centring, k, views);
        ContrastiveModes modes = test::modes_of(k, 3, method, {views});
        modes.means = means;
        const Embedding embedding = training_embedding(modes, world());
        ASSERT_EQ(embedding.offsets.size(), static_cast<std::size_t>(kinds));
        EXPECT_LE(whiteness_error(embedding, world()), 1e-10);
        const Range own = embedding.train.range;
        const auto before = test::replicate(embedding.train);
        for (std::int64_t kind = 0; kind < kinds; ++kind) {
          const auto again = test::replicate(embed(
              rbf, embedding, pairs.pick(test::range_numbers(own.begin, own.end)), world(), n,
              [&](Range r) { return pairs.pick(test::range_numbers(r.begin, r.end)); }, 1,
              static_cast<std::size_t>(kind)));
          for (std::int64_t i = kind; i < n; i += kinds) {
            for (std::int64_t j = 0; j < 3; ++j) EXPECT_NEAR(again[at(j, i, 3)], before[at(j, i, 3)], 1e-9);
          }
        }
      }
    }
  }
}

TEST(Centring, ExplicitFeaturesLoseTheirMean) {
  for (const std::int64_t views : {2, 3}) {
    const Pairs pairs = random_pairs(10, 4, .4, 3, views);
    const std::int64_t n = pairs.samples();
    for (const auto& grid : every_grid()) {
      DistMatrix k = kernel_matrix(LinearKernel{}, pairs, grid, 6);
      const auto expected_means = test::replicate(centre({}, k, views));
      const auto expected = test::modes_of(k, 3, Method::spectral, {views});
      const Range own = sample_share(world(), n, views);
      Samples features = pairs.pick(test::range_numbers(own.begin, own.end));
      const auto means = test::replicate(centre(world(), features, n, views));
      for (std::size_t i = 0; i < means.size(); ++i) EXPECT_NEAR(means[i], expected_means[i], 1e-14);
      const auto modes = primal_modes(features, grid, n, 2, 3, std::nullopt, {views});
      for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(modes.gamma[j], expected.gamma[j], 1e-13);
      EXPECT_NEAR(modes.mean_pair_kernel, expected.mean_pair_kernel, 1e-13);
    }
  }
}

TEST(Centring, EqualSamplesLeaveNothing) {
  Pairs constant{3, {}};
  for (int s = 0; s < 20; ++s) constant.data.insert(constant.data.end(), {1, 2.3, -1});
  DistMatrix k = kernel_matrix(LinearKernel{}, constant, every_grid().back());
  (void)centre({}, k, 2);
  EXPECT_EQ(max_abs(k), 0);
}

}  // namespace
}  // namespace stepwise
