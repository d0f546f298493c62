#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/lapack.hpp"
#include "theory/problem.hpp"

namespace stepwise {
namespace {

using test::every_grid;
using test::kernel_matrix;
using test::Method;
using test::Pairs;
using test::random_pairs;
using test::world;

constexpr double eps = std::numeric_limits<double>::epsilon();
constexpr std::array every_method{Method::cholesky, Method::spectral, Method::krylov};

std::size_t at(std::int64_t i, std::int64_t j, std::int64_t n) {
  return static_cast<std::size_t>(i + j * n);
}

std::vector<double> times(const std::vector<double>& a, const std::vector<double>& b, std::int64_t n) {
  std::vector<double> c(a.size());
  for (std::int64_t j = 0; j < n; ++j) {
    for (std::int64_t k = 0; k < n; ++k) {
      for (std::int64_t i = 0; i < n; ++i) c[at(i, j, n)] += a[at(i, k, n)] * b[at(k, j, n)];
    }
  }
  return c;
}

/// B as a dense matrix.
std::vector<double> dense_pairing(std::int64_t n, std::int64_t views) {
  std::vector<double> b(static_cast<std::size_t>(n * n));
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) b[at(i, j, n)] = i != j && i / views == j / views ? 1 : 0;
  }
  return b;
}

/// Sequentially, and as the definition reads: K_Gamma = K^{1/2} B K^{1/2} / (N (V - 1)).
test::SequentialEigen literal(const std::vector<double>& k, std::int64_t n, std::int64_t views) {
  const auto eigen = test::sequential_eigen(k, n);
  std::vector<double> root(k.size());
  for (std::int64_t l = 0; l < n; ++l) {
    const double factor = std::sqrt(std::max(eigen.values[static_cast<std::size_t>(l)], 0.0));
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        root[at(i, j, n)] += factor * eigen.vectors[at(i, l, n)] * eigen.vectors[at(j, l, n)];
      }
    }
  }
  std::vector<double> k_gamma = times(root, times(dense_pairing(n, views), root, n), n);
  for (double& x : k_gamma) x /= static_cast<double>(n * (views - 1));
  return test::sequential_eigen(k_gamma, n);
}

ContrastiveModes primal(const Pairs& pairs, const std::shared_ptr<const ProcessGrid>& grid, std::int64_t d) {
  const Range own = sample_share(world(), pairs.samples(), pairs.views);
  return primal_modes(pairs.pick(test::range_numbers(own.begin, own.end)), grid, pairs.samples(), 2, d, std::nullopt,
                      {pairs.views});
}

/// T a = gamma a and a^T K a = 1 with dense matrices, whiteness, and the mean kernel of the views.
void expect_modes(const ContrastiveModes& modes, const std::vector<double>& k, std::int64_t n, std::int64_t views) {
  const auto b = dense_pairing(n, views);
  const auto t = times(b, k, n);
  const auto a = test::replicate(modes.dual);
  const std::int64_t d = modes.dual.width;
  double trace = 0;
  for (std::int64_t i = 0; i < n; ++i) trace += t[at(i, i, n)];
  if (modes.mean_pair_kernel != 0) {
    EXPECT_NEAR(modes.mean_pair_kernel, trace / static_cast<double>(n * (views - 1)), 1e-12 * std::abs(trace));
  }
  double largest = 0;
  for (const double x : a) largest = std::max(largest, std::abs(x));
  for (std::int64_t j = 0; j < d; ++j) {
    double square = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      double ta = 0;
      double ka = 0;
      for (std::int64_t l = 0; l < n; ++l) {
        ta += t[at(i, l, n)] * a[at(j, l, d)] / static_cast<double>(n * (views - 1));
        ka += k[at(i, l, n)] * a[at(j, l, d)];
      }
      EXPECT_NEAR(ta, modes.gamma[static_cast<std::size_t>(j)] * a[at(j, i, d)], 1e-9 * largest * modes.gamma[0]);
      square += a[at(j, i, d)] * ka;
    }
    EXPECT_NEAR(square, 1, 1e-9);
  }
  EXPECT_LE(whiteness_error(training_embedding(modes, world()), world()), 1e-10);
}

TEST(Views, EveryMethodAgreesWithTheDenseDefinition) {
  const std::int64_t d = 4;
  for (const std::int64_t views : {2, 3, 4, 7}) {
    const Pairs pairs = random_pairs(9, 6, .4, 5, views);
    const std::int64_t n = pairs.samples();
    for (const Kernel& kernel : {Kernel(LinearKernel{}), Kernel(RbfKernel{2})}) {
      for (const auto& grid : every_grid()) {
        const DistMatrix k = kernel_matrix(kernel, pairs, grid, 8);
        const auto dense = test::replicate(k);
        const auto expected = literal(dense, n, views);
        const double unit = static_cast<double>(n) * 10 * eps * expected.values[0];
        for (const auto method : every_method) {
          SCOPED_TRACE(fmt::format("{} views, method {}", views, static_cast<int>(method)));
          const auto modes = test::modes_of(k, d, method, {views});
          for (std::size_t j = 0; j < modes.gamma.size(); ++j) EXPECT_NEAR(modes.gamma[j], expected.values[j], unit);
          expect_modes(modes, dense, n, views);
        }
        if (!std::holds_alternative<LinearKernel>(kernel)) continue;
        const auto modes = primal(pairs, grid, d);
        for (std::size_t j = 0; j < modes.gamma.size(); ++j) EXPECT_NEAR(modes.gamma[j], expected.values[j], unit);
        expect_modes(modes, dense, n, views);
      }
    }
  }
}

TEST(Views, PositiveDefiniteKernelsHaveInertiaOneToViewsLessOne) {
  for (const std::int64_t views : {3, 4}) {
    const Pairs pairs = random_pairs(8, 6, .5, 3, views);
    for (const auto method : {Method::cholesky, Method::spectral}) {
      const auto modes = test::modes_of(kernel_matrix(RbfKernel{1}, pairs, every_grid().front()), 3, method, {views});
      EXPECT_EQ(test::direct(modes).positive, 8);
      EXPECT_EQ(test::direct(modes).rank, 8 * views);
    }
  }
}

/// X = X' = ...: gamma are those of one view each.
TEST(Views, EqualViewsGiveTheSpectrumOfOneView) {
  const Pairs pairs = random_pairs(8, 5, 0, 3, 4);
  const auto grid = every_grid().back();
  const auto modes = test::modes_of(kernel_matrix(RbfKernel{2}, pairs, grid), 3, Method::spectral, {4});
  const auto spectrum = test::sequential_eigen(test::replicate(kernel_matrix(RbfKernel{2}, pairs, grid)), 32);
  for (std::size_t j = 0; j < 8; ++j) EXPECT_NEAR(modes.gamma[j], spectrum.values[j] / 32, 1e-13 * modes.gamma[0]);
  EXPECT_EQ(test::direct(modes).rank, 8);
}

TEST(Views, OutOfSampleFormulaGivesTheTrainingSamplesBack) {
  for (const std::int64_t views : {3, 4}) {
    const Pairs pairs = random_pairs(10, 6, .4, 7, views);
    for (const auto& grid : every_grid()) {
      for (const auto method : every_method) {
        const auto modes = test::modes_of(kernel_matrix(LaplaceKernel{2}, pairs, grid), 3, method, {views});
        const Embedding embedding = training_embedding(modes, world());
        const Range own = embedding.train.range;
        EXPECT_EQ(own.begin % views, 0);
        const auto again = test::replicate(
            embed(LaplaceKernel{2}, embedding, pairs.pick(test::range_numbers(own.begin, own.end)), world(),
                  pairs.samples(), [&](Range r) { return pairs.pick(test::range_numbers(r.begin, r.end)); }));
        const auto before = test::replicate(embedding.train);
        for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(again[i], before[i], 1e-9);
      }
    }
  }
}

TEST(Views, MeanPairKernelFromSamplesIsThatOfTheMatrix) {
  const Pairs pairs = random_pairs(7, 5, .4, 2, 3);
  const Range own = sample_share(world(), pairs.samples(), 3);
  const double from_samples =
      mean_pair_kernel(RbfKernel{2}, pairs.pick(test::range_numbers(own.begin, own.end)), 21, world(), {3});
  EXPECT_NEAR(from_samples, mean_pair_kernel(kernel_matrix(RbfKernel{2}, pairs, every_grid().back()), {3}), 1e-14);
}

}  // namespace
}  // namespace stepwise
