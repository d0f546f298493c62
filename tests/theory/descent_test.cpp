#include "stepwise/theory/descent.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "stepwise/core/stop.hpp"
#include "stepwise/theory/timescales.hpp"

namespace stepwise {
namespace {

TEST(Descent, IsEulersMethodForTheSingularValue) {
  const std::vector<std::int64_t> steps{0, 1, 2};
  const auto s = descended_singular_values(0.5, 0.1, 0.25, steps);
  double expected = 0.1;
  EXPECT_DOUBLE_EQ(s[0], expected);
  for (const std::size_t i : {1U, 2U}) {
    expected += 0.25 * 4 * 0.5 * (1 - 0.5 * expected * expected) * expected;
    EXPECT_DOUBLE_EQ(s[i], expected);
  }
}

TEST(Descent, TendsToTheFlowAsTheRateFalls) {
  const double gamma = 2;
  const double s0 = 1e-3;
  const double t = half_rise(gamma, s0);
  double before = 1;
  for (const std::int64_t count : {1000, 10'000, 100'000}) {
    const auto s = descended_singular_values(gamma, s0, t / static_cast<double>(count), std::vector{count});
    const double error = std::abs(s[0] - singular_value(gamma, s0, t));
    EXPECT_LT(error, 0.12 * before);
    before = error;
  }
}

TEST(Descent, EndsEarlyWhenAskedToStop) {
  request_stop();
  const auto s = descended_singular_values(0.5, 0.1, 0.25, std::vector<std::int64_t>{1, std::int64_t{1} << 50});
  forget_stop_request();
  EXPECT_EQ(s.size(), 2U);
}

TEST(Descent, RisesLaterByTwiceRateTimesGamma) {
  const double gamma = 3;
  const double s0 = 1e-9;
  const double rate = 1e-3;
  std::vector<std::int64_t> steps;
  std::vector<double> time;
  std::vector<double> curve;
  for (std::int64_t i = 0; i < 4000; i += 10) {
    steps.push_back(i);
    time.push_back(rate * static_cast<double>(i));
  }
  for (const double s : descended_singular_values(gamma, s0, rate, steps)) curve.push_back(gamma * s * s);
  EXPECT_NEAR(half_rise_of(time, curve) / half_rise(gamma, s0), 1 + 2 * rate * gamma, 5e-4);
}

TEST(Descent, WithMomentumIsHeavyBall) {
  const double gamma = 0.5;
  const double rate = 0.25;
  const double m = 0.9;
  const std::vector<std::int64_t> steps{1, 2, 7};
  const auto found = descended_singular_values(gamma, 0.1, rate, steps, m);
  double before = 0.1;  // two terms: s' = s + m (s - s_before) + eta g(s)
  double s = 0.1;
  std::size_t at = 0;
  for (std::int64_t step = 1; step <= 7; ++step) {
    const double next = s + m * (s - before) + rate * 4 * gamma * (1 - gamma * s * s) * s;
    before = std::exchange(s, next);
    if (step != steps[at]) continue;
    EXPECT_NEAR(found[at], s, 1e-13);
    ++at;
  }
}

TEST(Descent, WithMomentumTendsToTheFlowAtALongerTime) {
  const double gamma = 2;
  const double m = 0.9;
  const double t = half_rise(gamma, 1e-3);
  const std::int64_t count = 100'000;
  const double rate = (1 - m) * t / static_cast<double>(count);
  EXPECT_NEAR(descended_singular_values(gamma, 1e-3, rate, std::vector{count}, m)[0], singular_value(gamma, 1e-3, t),
              2e-3);
}

TEST(Descent, SpeedIsThatOfModesThatAreStillSmall) {
  for (const double m : {0.0, 0.5, 0.9, 0.99}) {
    for (const double rate : {1e-6, 1e-3, 0.05}) {
      const std::vector<std::int64_t> steps{3000, 3001};
      const auto s = descended_singular_values(1, 1e-150, rate, steps, m);
      if (!(s[1] < 1e-5)) continue;  // learned by then
      EXPECT_NEAR(descent_speed(1, rate, m) / (std::log(s[1] / s[0]) / (4 * rate)), 1, 1e-6) << m << ' ' << rate;
    }
  }
  EXPECT_NEAR(descent_speed(3, 1e-9, 0.9), 10, 1e-4);
}

TEST(HalfRise, OfTheClosedFormIsExactBetweenFarPoints) {
  std::vector<double> time;
  std::vector<double> curve;
  for (int i = 0; i < 12; ++i) {
    time.push_back(0.7 * i);
    curve.push_back(lambda(1.3, 1e-4, time.back()));
  }
  EXPECT_NEAR(half_rise_of(time, curve), half_rise(1.3, 1e-4), 1e-12);
}

TEST(HalfRise, IsNotANumberWhereTheCurveDoesNotCross) {
  EXPECT_TRUE(std::isnan(half_rise_of(std::vector{0.0, 1.0}, std::vector{0.1, 0.4})));
  EXPECT_TRUE(std::isnan(half_rise_of(std::vector{0.0, 1.0}, std::vector{0.7, 0.9})));
  EXPECT_DOUBLE_EQ(half_rise_of(std::vector{0.0, 1.0}, std::vector{-0.5, 1.5}), 0.5);
}

}  // namespace
}  // namespace stepwise
