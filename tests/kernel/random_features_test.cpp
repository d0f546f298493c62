#include "stepwise/kernel/random_features.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "stepwise/core/error.hpp"
#include "stepwise/core/random.hpp"
#include "stepwise/kernel/evaluate.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t m = 6;
constexpr std::int64_t n = 4;

std::vector<double> data() {
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < n; ++i) {
    RandomStream random(3, Purpose::probe, i);
    for (std::int64_t k = 0; k < m; ++k) numbers.push_back(random.normal());
  }
  return numbers;
}

/// Inner products of the features against the kernel: within five standard errors, and nearer with more features.
TEST(RandomFeatures, ConvergeToTheirKernel) {
  const Kernel rbf = RbfKernel{2};
  const Kernel shallow = fully_connected(NetworkKernel::nngp, {{2, 0}, {1.5, 0}});
  const Kernel leaky = fully_connected(NetworkKernel::nngp, {{2, 0}, {1, 0.1}, {1, 0}}, Rectifier{-0.4});
  const Kernel deep = fully_connected(NetworkKernel::nngp, {{2, 0.3}, {1.2, 0.1}, {2, 0.2}});
  const Samples samples = make_samples(m, data());
  for (const Kernel& kernel : {rbf, shallow, leaky, deep}) {
    std::vector<double> expected(n * n);
    evaluate(kernel, samples, {0, n}, samples, {0, n}, {expected.data(), n, n, n});
    double previous = 0;
    for (const std::int64_t count : {100, 1600}) {
      double square = 0;
      constexpr int draws = 10;
      for (int draw = 0; draw < draws; ++draw) {
        const RandomFeatures map = draw_features(kernel, m, count, static_cast<std::uint64_t>(draw));
        const std::vector<double> phi = feature_vectors(map, data());
        ASSERT_EQ(std::ssize(phi), count * n);
        for (std::int64_t i = 0; i < n; ++i) {
          for (std::int64_t j = 0; j < n; ++j) {
            double dot = 0;
            for (std::int64_t f = 0; f < count; ++f) {
              dot += phi[static_cast<std::size_t>(f + i * count)] * phi[static_cast<std::size_t>(f + j * count)];
            }
            square +=
                std::pow((dot - expected[static_cast<std::size_t>(i + j * n)]) / expected[0], 2) / (draws * n * n);
          }
        }
      }
      const double error = std::sqrt(square);
      EXPECT_LT(error, 5 / std::sqrt(static_cast<double>(count))) << describe(kernel);
      if (previous > 0) {
        EXPECT_NEAR(error, previous / 4, previous / 10) << describe(kernel);  // sqrt(1600 / 100) = 4
      }
      previous = error;
    }
  }
}

TEST(RandomFeatures, AreAFunctionOfTheSeed) {
  const auto of_seed = [](std::uint64_t seed) {
    return feature_vectors(draw_features(RbfKernel{1}, m, 8, seed), data());
  };
  EXPECT_EQ(of_seed(1), of_seed(1));
  EXPECT_NE(of_seed(1), of_seed(2));
  // One sample gives the same alone.
  const auto all = of_seed(1);
  const std::vector<double> numbers = data();
  const auto second =
      feature_vectors(draw_features(RbfKernel{1}, m, 8, 1), {numbers.begin() + m, numbers.begin() + 2 * m});
  for (std::size_t f = 0; f < 8; ++f) EXPECT_NEAR(second[f], all[8 + f], 1e-15);
}

TEST(RandomFeatures, RefusalsNameTheOption) {
  const auto message = [](const Kernel& kernel, std::int64_t count) -> std::string {
    try {
      (void)draw_features(kernel, m, count, 0);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::input);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_NE(message(RbfKernel{1}, 7).find("--kernel.random-features is 7, must be even"), std::string::npos);
  EXPECT_NE(message(LinearKernel{}, 8).find("rbf and nngp"), std::string::npos);
  EXPECT_NE(message(fully_connected(NetworkKernel::ntk, {{2, 0}, {2, 0}}), 8).find("rbf and nngp"), std::string::npos);
  EXPECT_NE(message(fully_connected(NetworkKernel::nngp, {{2, 0}}), 8).find("depth 1"), std::string::npos);
  EXPECT_NE(message(fully_connected(NetworkKernel::nngp, {{2, 0}, {2, 1}}), 1).find("at least 2"), std::string::npos);
}

}  // namespace
}  // namespace stepwise
