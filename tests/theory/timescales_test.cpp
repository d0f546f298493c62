#include "stepwise/theory/timescales.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace stepwise {
namespace {

TEST(SingularValue, FortyDigitValues) {
  EXPECT_NEAR(singular_value(.5, 1e-3, 4), 1.277716500790074, 2e-15);
  EXPECT_NEAR(singular_value(.5, 1e-3, 1e3), 1.414213562373095, 1e-15);
  EXPECT_NEAR(singular_value(-.5, 1, 1), 0.1108396639250747, 1e-15);
  EXPECT_NEAR(singular_value(0, .3, 7), .3, 1e-15);
}

/// ds/dt = 4 gamma s (1 - gamma s^2), integrated by classical Runge-Kutta.
TEST(SingularValue, SolvesTheGradientFlow) {
  for (const double gamma : {2.0, .3, 0.0, -.4}) {
    const double s0 = .05;
    double s = s0;
    const double h = 1e-3;
    const auto rate = [gamma](double x) { return 4 * gamma * x * (1 - gamma * x * x); };
    for (int step = 0; step < 3000; ++step) {
      if (step % 500 == 0) {
        EXPECT_NEAR(s, singular_value(gamma, s0, step * h), 1e-10) << gamma << " " << step;
      }
      const double k1 = rate(s);
      const double k2 = rate(s + h / 2 * k1);
      const double k3 = rate(s + h / 2 * k2);
      const double k4 = rate(s + h * k3);
      s += h / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
    }
  }
}

TEST(SingularValue, NeverOverflows) {
  for (const double gamma : {1e-8, 1.0, 1e8, -1e8}) {
    for (const double t : {0.0, 1.0, 1e6, 1e300}) {
      EXPECT_TRUE(std::isfinite(singular_value(gamma, 1e-7, t))) << gamma << " " << t;
    }
  }
  EXPECT_NEAR(lambda(3, 1e-100, 1e300), 1, 1e-15);
}

TEST(Lambda, StartsSmallEndsAtOneAndCrossesHalfAtTheHalfRise) {
  const double gamma = .7;
  const double s0 = 1e-4;
  EXPECT_NEAR(lambda(gamma, s0, 0) / (gamma * s0 * s0), 1, 1e-14);
  EXPECT_NEAR(lambda(gamma, s0, half_rise(gamma, s0)), .5, 1e-13);
  EXPECT_NEAR(timescale(gamma, s0), half_rise(gamma, s0), 1e-7);
  EXPECT_NEAR(lambda(gamma, s0, 1e3), 1, 1e-15);
}

TEST(Timescale, FortyDigitPipelineValues) {
  EXPECT_NEAR(timescale(1.064517093294236, 1e-3), 1.61493288621, 1e-11);
  EXPECT_NEAR(timescale(.4305978989698279, 1e-3), 4.255156367, 1e-9);
  EXPECT_NEAR(timescale(.638340620263483, 1e-3), 2.79325671822, 1e-11);
  EXPECT_NEAR(timescale(.2410989220011346, 1e-3), 7.90031452467, 1e-11);
}

TEST(SmallRandomInitialisation, FirstModeIsLargest) {
  const auto s0 = small_random_initialisation(1e-3, 4);
  ASSERT_EQ(s0.size(), 4U);
  EXPECT_DOUBLE_EQ(s0[0], 2e-3);
  EXPECT_DOUBLE_EQ(s0[3], 1e-3);
}

TEST(Trajectory, LossIsAStaircase) {
  const std::array<double, 3> gamma{10, 1, .1};
  const auto s0 = small_random_initialisation(1e-8, 3);
  const auto grid = time_grid(gamma, s0, 200, 0);
  ASSERT_EQ(grid.size(), 200U);
  EXPECT_EQ(grid[0], 0);
  for (std::size_t i = 1; i < grid.size(); ++i) EXPECT_GT(grid[i], grid[i - 1]);
  std::vector<double> tau;
  for (std::size_t j = 0; j < 3; ++j) tau.push_back(timescale(gamma[j], s0[j]));
  EXPECT_DOUBLE_EQ(grid.back(), 3 * tau[2]);

  const Trajectory path = trajectory(gamma, s0, grid);
  EXPECT_NEAR(path.loss.front(), 3, 1e-12);
  EXPECT_NEAR(path.loss.back(), 0, 1e-12);
  for (std::size_t i = 0; i < grid.size(); ++i) {
    double loss = 0;
    for (std::size_t j = 0; j < 3; ++j) loss += std::pow(1 - path.lambda[3 * i + j], 2);
    EXPECT_NEAR(path.loss[i], loss, 1e-14);
    // Halfway in log t between two steps the loss rests at the number of modes left (eq. 20).
    EXPECT_GE(path.loss[i], static_cast<double>(modes_left(tau, 1.2 * grid[i])) - 0.1);
  }
  const Trajectory rest = trajectory(gamma, s0, {std::sqrt(tau[0] * tau[1]), std::sqrt(tau[1] * tau[2])});
  EXPECT_NEAR(rest.loss[0], static_cast<double>(modes_left(tau, rest.time[0])), 1e-6);
  EXPECT_NEAR(rest.loss[1], static_cast<double>(modes_left(tau, rest.time[1])), 1e-6);
}

TEST(TimeGrid, HoldsWhenModesStartLearnedOrTheEndIsGiven) {
  const std::array<double, 2> gamma{2, 1};
  const std::array<double, 2> learned{10, 10};
  for (const double t : time_grid(gamma, learned, 50, 0)) EXPECT_TRUE(std::isfinite(t) && t >= 0);
  const std::array<double, 2> small{1e-3, 1e-3};
  EXPECT_EQ(time_grid(gamma, small, 10, 7.5).back(), 7.5);
  EXPECT_EQ(time_grid(gamma, small, 2, 7.5), (std::vector<double>{0, 7.5}));
}

TEST(RkhsNorm, IsTheSumOfInverses) {
  const std::array<double, 3> gamma{2, 1, .5};
  EXPECT_DOUBLE_EQ(rkhs_norm_squared(gamma), 3.5);
}

}  // namespace
}  // namespace stepwise
