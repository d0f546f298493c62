#include "stepwise/sim/width_fit.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

namespace stepwise {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
const std::vector<std::int64_t> widths{64, 128, 256, 512};

TEST(WidthFit, FindsThePowerLawOfEachSeedAndTheirSpread) {
  std::vector<double> values;
  for (const auto width : widths) {
    for (const double exponent : {-0.4, -0.5, -0.6}) {
      values.push_back(3 * std::pow(static_cast<double>(width), exponent));
    }
  }
  const WidthExponent fit = fit_exponent(widths, values);
  EXPECT_NEAR(fit.value, -0.5, 1e-12);
  EXPECT_NEAR(fit.error, 0.1 / std::sqrt(3.0), 1e-12);
  EXPECT_EQ(fit.seeds, 3);
}

TEST(WidthFit, OneSeedHasTheErrorOfItsOwnFit) {
  const std::vector<double> logs{0.1, -0.1, -0.1, 0.1};  // orthogonal to a line
  std::vector<double> values;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    values.push_back(std::exp(logs[i]) / static_cast<double>(widths[i]));
  }
  const WidthExponent fit = fit_exponent(widths, values);
  EXPECT_NEAR(fit.value, -1, 1e-12);
  const double unit = std::numbers::ln2;
  EXPECT_NEAR(fit.error, std::sqrt(0.04 / 2 / (5 * unit * unit)), 1e-12);
  EXPECT_EQ(fit.seeds, 1);
}

TEST(WidthFit, LeavesOutWhatDiverged) {
  std::vector<double> values;
  for (const auto width : widths) {
    values.push_back(1 / static_cast<double>(width));
    values.push_back(width > 128 ? nan : 1 / static_cast<double>(width));
    values.push_back(width > 64 ? nan : 1 / static_cast<double>(width));
  }
  const WidthExponent fit = fit_exponent(widths, values);
  EXPECT_NEAR(fit.value, -1, 1e-12);
  EXPECT_EQ(fit.seeds, 2);
  EXPECT_TRUE(std::isnan(fit_exponent(widths, std::vector<double>(8, nan)).value));
  EXPECT_EQ(fit_exponent(widths, std::vector<double>(8, nan)).seeds, 0);
}

TEST(WidthFit, GaussianDivergence) {
  const auto density = [](double x, double mean, double variance) {
    return std::exp(-(x - mean) * (x - mean) / (2 * variance)) / std::sqrt(2 * std::numbers::pi * variance);
  };
  const auto integral = [&](double m, double v, double m2, double v2) {
    double sum = 0;
    const double step = 1e-3;
    for (double x = -30; x < 30; x += step) {
      const double p = density(x, m, v);
      if (p > 0) sum += step * p * (std::log(p) - std::log(density(x, m2, v2)));
    }
    return sum;
  };
  EXPECT_NEAR(gaussian_divergence(0.3, 1.7, -0.4, 2.5), integral(0.3, 1.7, -0.4, 2.5), 1e-9);
  EXPECT_NEAR(gaussian_divergence(-1, 2, 1, 1.3), integral(-1, 2, 1, 1.3), 1e-9);
  EXPECT_EQ(gaussian_divergence(0.3, 1.7, 0.3, 1.7), 0);
}

TEST(WidthFit, PoolsMoments) {
  const std::vector<GaussianMoments> parts{{1, 0.25}, {3, 0.75}};
  const GaussianMoments all = pooled(parts);
  EXPECT_DOUBLE_EQ(all.mean, 2);
  EXPECT_DOUBLE_EQ(all.variance, 1.5);
}

}  // namespace
}  // namespace stepwise
