// Infinitely wide networks against wide ones: the analytic values lie within the statistical error of a mean over
// seeds.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "stepwise/kernel/empirical_ntk.hpp"
#include "stepwise/kernel/evaluate.hpp"
#include "stepwise/kernel/network_text.hpp"
#include "stepwise/kernel/random_features.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

using Vector = std::vector<double>;

constexpr std::int64_t m = 6;
constexpr std::int64_t n = 4;

const std::vector<AffineLayer> layers{{1.3, 0.1}, {0.9, 0.2}, {1.1, 0.05}};

std::vector<Activation> activations() {
  std::vector<Activation> list{Rectifier{0}, Rectifier{0.3},  Rectifier{-1}, ErrorFunction{}, Gelu{},      Sine{},
                               Sign{},       RbfActivation{}, ArcCosine{0},  ArcCosine{1},    ArcCosine{2}};
  for (const char* name : {"tanh", "sigmoid", "softplus", "silu"}) list.emplace_back(scalar_activation(name));
  return list;
}

/// Two samples, a neighbour of the first, and one nearly opposite to it.
Vector data() {
  Vector x;
  for (std::int64_t i = 0; i < 2; ++i) {
    for (std::int64_t k = 0; k < m; ++k) x.push_back(test::normal_entry(i, k));
  }
  for (std::int64_t k = 0; k < m; ++k) x.push_back(x[static_cast<std::size_t>(k)] + 0.1 * test::normal_entry(2, k));
  for (std::int64_t k = 0; k < m; ++k) x.push_back(0.3 * test::normal_entry(3, k) - x[static_cast<std::size_t>(k)]);
  return x;
}

Vector gram(const Kernel& kernel, std::int64_t features, Vector columns) {
  const Samples samples = make_samples(features, std::move(columns));
  Vector out(n * n);
  evaluate(kernel, samples, {0, n}, samples, {0, n}, {out.data(), n, n, n});
  return out;
}

/// Sums over seeds of every entry and its square.
struct Statistics {
  Vector sum = Vector(n * n);
  Vector squares = Vector(n * n);
  std::int64_t count = 0;

  void add(const Vector& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      sum[i] += values[i];
      squares[i] += values[i] * values[i];
    }
    ++count;
  }

  /// Within five standard errors of the mean, and what a finite width shifts, a few parts in `width`; everything in
  /// units of the samples' own lengths in feature space.
  void expect_mean(const Vector& expected, std::int64_t width, const std::string& where) const {
    const auto draws = static_cast<double>(count);
    Vector mean(sum.size());
    Vector unit(sum.size());
    Vector deviation(sum.size());
    double typical = 0;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        const std::size_t e = i + j * n;
        mean[e] = sum[e] / draws;
        unit[e] = std::sqrt(expected[i + i * n] * expected[j + j * n]);
        deviation[e] = std::sqrt(std::max(squares[e] / draws - mean[e] * mean[e], 0.0) / (draws - 1)) / unit[e];
        typical += deviation[e] / static_cast<double>(n * n);
      }
    }
    for (std::size_t e = 0; e < sum.size(); ++e) {
      // Few draws know one entry's deviation badly, so it is not taken for less than the average one.
      const double allowed = 5 * std::max(deviation[e], typical) + 4 / static_cast<double>(width);
      EXPECT_NEAR(mean[e] / unit[e], expected[e] / unit[e], allowed) << where << ", entry " << e;
    }
    EXPECT_LT(typical, 0.05) << where << ": too noisy to say anything";
  }
};

class MonteCarlo : public testing::Test {
 protected:
  void SetUp() override {
    if (test::world().size() > 1) GTEST_SKIP() << "every rank would do the same";
  }
};

TEST_F(MonteCarlo, CovariancesOfWideNetworks) {
  constexpr std::int64_t width = 4096;
  constexpr std::uint64_t seeds = 6;
  const std::vector<Activation> all = activations();
  std::vector<Statistics> statistics(all.size());
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    // Weights do not depend on the activation, and drawing them takes longest.
    RandomFeatures map = draw_features(fully_connected(NetworkKernel::nngp, layers, all.front()), m, width + 1, seed);
    for (std::size_t a = 0; a < all.size(); ++a) {
      map.kernel = fully_connected(NetworkKernel::nngp, layers, all[a]);
      statistics[a].add(gram(LinearKernel{}, map.count, feature_vectors(map, data())));
    }
  }
  for (std::size_t a = 0; a < all.size(); ++a) {
    statistics[a].expect_mean(gram(fully_connected(NetworkKernel::nngp, layers, all[a]), m, data()), width,
                              describe(all[a]));
  }
}

TEST_F(MonteCarlo, TangentKernelsOfWideNetworks) {
  constexpr std::int64_t width = 1024;
  constexpr std::uint64_t seeds = 24;
  const std::vector<Activation> all = activations();
  std::vector<Statistics> statistics(all.size());
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    TangentFeatures map = draw_networks({fully_connected(NetworkKernel::ntk, layers, all.front()), width}, m, seed);
    for (std::size_t a = 0; a < all.size(); ++a) {
      map.of.layers = fully_connected(NetworkKernel::ntk, layers, all[a]);
      statistics[a].add(gram(map.kernel, map.count, feature_vectors(map, data())));
    }
  }
  for (std::size_t a = 0; a < all.size(); ++a) {
    statistics[a].expect_mean(gram(fully_connected(NetworkKernel::ntk, layers, all[a]), m, data()), width,
                              describe(all[a]));
  }
}

}  // namespace
}  // namespace stepwise
