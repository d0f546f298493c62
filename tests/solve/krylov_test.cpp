#include "stepwise/solve/krylov.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/block_product.hpp"
#include "support/grids.hpp"
#include "support/lapack.hpp"

namespace stepwise {
namespace {

using test::every_grid;
using test::make_matrix;
using test::normal_entry;
using test::replicate;
using test::world;

constexpr double eps = std::numeric_limits<double>::epsilon();
using Entry = std::function<double(std::int64_t, std::int64_t)>;

void swap_pairs(MatrixView<double> v, double factor) {
  for (std::int64_t s = 0; s < v.cols; s += 2) {
    for (std::int64_t j = 0; j < v.rows; ++j) {
      const double first = v(j, s);
      v(j, s) = factor * v(j, s + 1);
      v(j, s + 1) = factor * first;
    }
  }
}

KernelOperator operator_of(const BlockProduct& product, std::int64_t n) {
  return {n, 2, [&product](auto v, auto kv) { product(v, kv); },
          [n](auto v) { swap_pairs(v, 1 / static_cast<double>(n)); }};
}

/// exp(-|x - y|^2) of n points in three dimensions, sample 2i + 1 near 2i.
Entry gaussian(double distance) {
  const auto point = [distance](std::int64_t i, std::int64_t k) {
    return normal_entry(i / 2, k, 3) + distance * normal_entry(i, k, 4);
  };
  return [point](auto i, auto j) {
    double square = 0;
    for (std::int64_t k = 0; k < 3; ++k) square += std::pow(point(i, k) - point(j, k), 2);
    return std::exp(-square);
  };
}

struct Case {
  std::string name;
  Entry entry;
};

std::vector<Case> cases() {
  return {{"gaussian", gaussian(0.2)},
          {"equal views", gaussian(0)},
          {"all ones", [](auto, auto) { return 1.0; }},
          {"identity", [](auto i, auto j) { return i == j ? 1.0 : 0.0; }},
          {"four distinct pairs", [](auto i, auto j) { return gaussian(0.3)(i % 8, j % 8); }},
          {"rank two",
           [](auto i, auto j) { return 1.0 + std::sin(static_cast<double>(i)) * std::sin(static_cast<double>(j)); }},
          {"tiny", [](auto i, auto j) { return 1e-150 * gaussian(0.2)(i, j); }},
          {"huge", [](auto i, auto j) { return 1e150 * gaussian(0.2)(i, j); }}};
}

/// All eigenvalues of (1/N) K^{1/2} P K^{1/2}, descending, by LAPACK.
std::vector<double> reference(const std::vector<double>& k, std::int64_t n) {
  const auto size = static_cast<std::size_t>(n);
  const auto pairs = test::sequential_eigen(k, n);
  std::vector<double> root(size * size);
  for (std::size_t j = 0; j < size; ++j) {
    for (std::size_t i = 0; i < size; ++i) {
      for (std::size_t e = 0; e < size; ++e) {
        root[i + j * size] +=
            std::sqrt(std::max(pairs.values[e], 0.0)) * pairs.vectors[i + e * size] * pairs.vectors[j + e * size];
      }
    }
  }
  std::vector<double> m(size * size);
  for (std::size_t j = 0; j < size; ++j) {
    for (std::size_t i = 0; i < size; ++i) {
      for (std::size_t e = 0; e < size; ++e) m[i + j * size] += root[i + e * size] * root[(e ^ 1U) + j * size];
      m[i + j * size] /= static_cast<double>(n);
    }
  }
  return test::sequential_eigen(m, n).values;
}

/// Values against the reference, K-orthonormal vectors, true residuals.
void check(const Case& c, std::int64_t n, const KrylovOptions& options) {
  std::vector<double> expected;
  for (const auto& grid : every_grid()) {
    SCOPED_TRACE(c.name + ", n = " + std::to_string(n) + ", " + std::to_string(options.modes) + " modes on " +
                 std::to_string(grid->shape().rows) + " rows");
    const DistMatrix k = make_matrix(grid, n, n, 4, c.entry);
    const BlockProduct product(k, 2);
    if (expected.empty()) expected = reference(replicate(k), n);
    const double largest = expected.front();
    const auto positive = std::count_if(expected.begin(), expected.end(), [&](double gamma) {
      return gamma > 100 * static_cast<double>(n) * eps * largest;
    });
    const KrylovPairs found = krylov_pairs(world(), operator_of(product, n), options);
    const auto d = static_cast<std::int64_t>(found.values.size());
    EXPECT_EQ(d, std::min<std::int64_t>(positive, options.modes));
    if (positive < options.modes) {
      EXPECT_TRUE(found.exhausted);
    }
    for (std::size_t j = 0; j < found.values.size(); ++j) {
      EXPECT_NEAR(found.values[j], expected[j], 1e-12 * largest);
      EXPECT_LE(found.residuals[j], options.tolerance);
    }
    BlockVector image = found.vectors;
    product(found.vectors.local(), image.local());
    for (std::size_t i = 0; i < image.data.size(); ++i) {
      EXPECT_NEAR(image.data[i], found.kernel_vectors.data[i], 1e-9 * std::sqrt(largest * static_cast<double>(n)));
    }
    for (std::int64_t a = 0; a < d; ++a) {
      for (std::int64_t b = 0; b < d; ++b) {
        double dot = 0;
        for (std::int64_t s = 0; s < image.range.size(); ++s) dot += found.vectors.local()(a, s) * image.local()(b, s);
        EXPECT_NEAR(sum(world(), dot), a == b ? 1 : 0, 1e-10);
      }
    }
  }
}

TEST(Krylov, LeadingPairsOfKernelsOfEveryKind) {
  for (const Case& c : cases()) {
    for (const std::int64_t n : {2, 6, 40}) {
      for (const std::int64_t d : {1, 2, 7}) {
        if (d <= n) check(c, n, {.modes = d});
      }
    }
  }
}

TEST(Krylov, AllPositiveModes) {
  check({"gaussian", gaussian(0.8)}, 24, {.modes = 12});
  check({"identity", cases()[3].entry}, 24, {.modes = 12});
}

TEST(Krylov, MoreModesThanPositiveOnesEndsAfterTheWholeRange) {
  check({"gaussian", gaussian(0.8)}, 24, {.modes = 20});
  check({"rank two", cases()[5].entry}, 40, {.modes = 5, .block = 4});
}

/// Many negative modes, and far more range than the basis can hold: after some restarts three positive ones are all.
TEST(Krylov, FewPositiveModesAmongManyNegativeOnes) {
  const Entry mostly_negative = [](auto i, auto j) {
    double k = i / 2 == j / 2 ? (i == j ? 1.0 : -0.9) * (1 + 1 / (1.0 + static_cast<double>(i / 2))) : 0.0;
    for (const double c : {1.0, 2.0, 3.0}) {
      k += std::cos(c * static_cast<double>(i / 2)) * std::cos(c * static_cast<double>(j / 2)) / c;
    }
    return k;
  };
  const KrylovOptions options{.modes = 8, .block = 3};
  check({"mostly negative", mostly_negative}, 300, options);
  EXPECT_LT(krylov_sizes(300, options).basis, 100);
}

TEST(Krylov, MultiplicitiesBeyondTheBlock) {
  check({"identity", cases()[3].entry}, 40, {.modes = 15, .block = 2});
  // Ten copies of one spectrum.
  check({"block diagonal", [](auto i, auto j) { return i / 8 == j / 8 ? gaussian(0.3)(i % 8, j % 8) : 0.0; }}, 80,
        {.modes = 14, .block = 4});
}

TEST(Krylov, RestartsGiveTheSame) {
  // A slowly decaying spectrum and a small basis.
  const Entry slow = [](auto i, auto j) {
    return i / 2 == j / 2 ? (i == j ? 1.0 : 0.9) * (1 + 1 / (1.0 + static_cast<double>(i / 2))) : 0.0;
  };
  const KrylovOptions options{.modes = 5, .block = 2};
  check({"slow", slow}, 240, options);
  const auto grid = every_grid().front();
  const DistMatrix k = make_matrix(grid, 240, 240, 4, slow);
  const BlockProduct product(k, 2);
  EXPECT_GT(krylov_pairs(world(), operator_of(product, 240), options).restarts, 0);
}

TEST(Krylov, ResultsAreAFunctionOfTheSeedAlone) {
  const auto grid = every_grid().front();
  const DistMatrix k = make_matrix(grid, 64, 64, 4, gaussian(0.2));
  const BlockProduct product(k, 2);
  const auto once = krylov_pairs(world(), operator_of(product, 64), {.modes = 6, .seed = 5});
  const auto again = krylov_pairs(world(), operator_of(product, 64), {.modes = 6, .seed = 5});
  const auto other = krylov_pairs(world(), operator_of(product, 64), {.modes = 6, .seed = 6});
  EXPECT_EQ(once.values, again.values);
  EXPECT_EQ(once.vectors.data, again.vectors.data);
  EXPECT_NE(once.vectors.data, other.vectors.data);
  for (std::size_t j = 0; j < 6; ++j) EXPECT_NEAR(once.values[j], other.values[j], 1e-13);
}

/// K rounded to single precision.
Entry rounded(const Entry& entry) {
  return [entry](auto i, auto j) { return static_cast<double>(static_cast<float>(entry(i, j))); };
}

TEST(Krylov, RoughProductsGiveTheSameModes) {
  const std::int64_t n = 240;
  for (const std::string name : {"gaussian", "equal views", "four distinct pairs"}) {
    const auto all = cases();
    const Case& c =
        *std::find_if(all.begin(), all.end(), [&](const Case& candidate) { return candidate.name == name; });
    for (const auto& grid : every_grid()) {
      SCOPED_TRACE(name + " on " + std::to_string(grid->shape().rows) + " rows");
      const DistMatrix k = make_matrix(grid, n, n, 4, c.entry);
      const DistMatrix single = make_matrix(grid, n, n, 4, rounded(c.entry));
      const BlockProduct exact(k, 2);
      const BlockProduct rough(single, 2);
      KernelOperator t = operator_of(exact, n);
      const KrylovOptions options{.modes = 3, .block = 4};
      const KrylovPairs expected = krylov_pairs(world(), t, options);
      t.rough_kernel = [&rough](auto v, auto kv) { rough(v, kv); };
      const KrylovPairs found = krylov_pairs(world(), t, options);
      EXPECT_FALSE(found.too_rough);
      EXPECT_GT(found.rough_rounds, 0);
      EXPECT_LE(found.rounds - found.rough_rounds, 4);
      ASSERT_EQ(found.values.size(), 3U);
      for (std::size_t j = 0; j < 3; ++j) {
        EXPECT_NEAR(found.values[j], expected.values[j], 1e-13 * expected.values[0]);
        EXPECT_LE(found.residuals[j], options.tolerance);
      }
    }
  }
}

/// What lies below single precision is found all the same, and its absence too.
TEST(Krylov, WhereRoughProductsDoNotReachExactOnesDo) {
  const auto grid = every_grid().front();
  struct Deep {
    Case c;
    std::int64_t n;
    std::int64_t modes;
    std::size_t found;
  };
  const Entry steep = [](auto i, auto j) {
    return i / 2 == j / 2 ? std::pow(10.0, -2.0 * static_cast<double>(i / 2)) : 0;
  };
  for (const Deep& deep : {Deep{cases()[5], 40, 5, 2}, Deep{{"steep", steep}, 12, 6, 6}}) {
    SCOPED_TRACE(deep.c.name);
    const DistMatrix k = make_matrix(grid, deep.n, deep.n, 4, deep.c.entry);
    const DistMatrix single = make_matrix(grid, deep.n, deep.n, 4, rounded(deep.c.entry));
    const BlockProduct exact(k, 2);
    const BlockProduct rough(single, 2);
    KernelOperator t = operator_of(exact, deep.n);
    t.rough_kernel = [&rough](auto v, auto kv) { rough(v, kv); };
    const KrylovPairs found = krylov_pairs(world(), t, {.modes = deep.modes});
    EXPECT_TRUE(found.too_rough);
    EXPECT_EQ(found.values.size(), deep.found);
  }
}

TEST(Krylov, AGoodStartSavesRounds) {
  const std::int64_t n = 240;
  const auto grid = every_grid().front();
  const DistMatrix k = make_matrix(grid, n, n, 4, gaussian(0.2));
  const BlockProduct product(k, 2);
  const KrylovPairs random = krylov_pairs(world(), operator_of(product, n), {.modes = 6, .block = 6});
  BlockVector near = random.vectors;
  for (std::int64_t s = 0; s < near.range.size(); ++s) {
    for (std::int64_t j = 0; j < 6; ++j) near.local()(j, s) *= 1 + 1e-5 * normal_entry(j, near.range.begin + s, 8);
  }
  const KrylovPairs warm = krylov_pairs(world(), operator_of(product, n), {.modes = 6, .block = 6, .start = &near});
  EXPECT_LT(warm.rounds, random.rounds - 2);
  for (std::size_t j = 0; j < 6; ++j) EXPECT_NEAR(warm.values[j], random.values[j], 1e-13);
  // Nothing to start from is as good as no start.
  for (const std::int64_t width : {6, 0}) {
    const BlockVector nothing = make_block_vector(world(), n, width, 2);
    const KrylovPairs cold =
        krylov_pairs(world(), operator_of(product, n), {.modes = 6, .block = 6, .start = &nothing});
    for (std::size_t j = 0; j < 6; ++j) EXPECT_NEAR(cold.values[j], random.values[j], 1e-13);
  }
}

TEST(Krylov, GivesUpWithTheResidualItReached) {
  const auto grid = every_grid().front();
  const DistMatrix k = make_matrix(grid, 200, 200, 4, gaussian(0.2));
  const BlockProduct product(k, 2);
  try {
    (void)krylov_pairs(world(), operator_of(product, 200), {.modes = 5, .block = 2, .max_rounds = 4});
    FAIL() << "no exception";
  } catch (const CollectiveError& error) {
    EXPECT_EQ(error.code(), ExitCode::numerical);
    EXPECT_NE(std::string(error.what()).find("after 4 passes"), std::string::npos) << error.what();
  }
}

TEST(Krylov, NanEndsOnAllRanks) {
  const auto grid = every_grid().front();
  const DistMatrix k = make_matrix(grid, 20, 20, 4, [](auto i, auto j) {
    return i == 7 && j == 7 ? std::numeric_limits<double>::quiet_NaN() : i == j ? 1.0 : 0.0;
  });
  const BlockProduct product(k, 2);
  EXPECT_THROW((void)krylov_pairs(world(), operator_of(product, 20), {.modes = 2}), CollectiveError);
}

}  // namespace
}  // namespace stepwise
