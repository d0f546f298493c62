#include "stepwise/core/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

namespace stepwise {
namespace {

using Words = std::array<std::uint32_t, 4>;

TEST(Philox, KnownAnswersOfRandom123) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox({ones, ones, ones, ones}, {ones, ones}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, WordsArePhiloxOfTheDocumentedCounter) {
  const std::int64_t index = 0x123456789abc;
  RandomStream random(0x1122334455667788, Purpose::noise, index, 7);
  for (std::uint32_t block = 0; block < 3; ++block) {
    const Words expected = philox({block, 0x56789abc, 0x00071234, 4}, {0x55667788, 0x11223344});
    for (const std::uint32_t word : expected) EXPECT_EQ(random.bits(), word);
  }
}

TEST(RandomStream, EqualNamesGiveEqualNumbers) {
  RandomStream first(42, Purpose::crop, 17, 1);
  RandomStream second(42, Purpose::crop, 17, 1);
  RandomStream copy = first;
  for (int i = 0; i < 100; ++i) {
    const double expected = first.normal();
    EXPECT_EQ(second.normal(), expected);
    EXPECT_EQ(copy.normal(), expected);
  }
}

TEST(RandomStream, EveryPartOfTheNameChangesTheNumbers) {
  std::set<std::uint64_t> seen;
  std::size_t streams = 0;
  const auto add = [&](std::uint64_t seed, Purpose purpose, std::int64_t index, int view) {
    RandomStream random(seed, purpose, index, view);
    const std::uint64_t high = random.bits();
    seen.insert((high << 32) | random.bits());
    ++streams;
  };
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32}) {
    for (const Purpose purpose : {Purpose::image, Purpose::crop, Purpose::flip, Purpose::noise, Purpose::probe}) {
      for (const std::int64_t index : {0L, 1L, 65536L, 1L << 32, (1L << 48) - 1}) {
        for (const int view : {0, 1, 65535}) add(seed, purpose, index, view);
      }
    }
  }
  EXPECT_EQ(seen.size(), streams);
}

TEST(RandomStream, NeighbouringStreamsAreUncorrelated) {
  constexpr int samples = 20000;
  double by_index = 0;
  double by_view = 0;
  double by_purpose = 0;
  for (int i = 0; i < samples; ++i) {
    const double centre = RandomStream(3, Purpose::noise, i, 0).normal();
    by_index += centre * RandomStream(3, Purpose::noise, i + 1, 0).normal();
    by_view += centre * RandomStream(3, Purpose::noise, i, 1).normal();
    by_purpose += centre * RandomStream(3, Purpose::probe, i, 0).normal();
  }
  // Each sum has deviation sqrt(samples).
  const double bound = 4 * std::sqrt(samples);
  EXPECT_LT(std::abs(by_index), bound);
  EXPECT_LT(std::abs(by_view), bound);
  EXPECT_LT(std::abs(by_purpose), bound);
}

TEST(RandomStream, UniformHasTheRightRangeAndMoments) {
  constexpr int samples = 200000;
  RandomStream random(5, Purpose::probe, 0);
  std::vector<int> bins(64, 0);
  double mean = 0;
  double square = 0;
  for (int i = 0; i < samples; ++i) {
    const double x = random.uniform();
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    ++bins[static_cast<std::size_t>(64 * x)];
    mean += x / samples;
    square += x * x / samples;
  }
  EXPECT_NEAR(mean, 0.5, 4 * std::sqrt(1.0 / 12 / samples));
  EXPECT_NEAR(square, 1.0 / 3, 4 * std::sqrt(4.0 / 45 / samples));
  double chi_square = 0;
  for (const int count : bins) chi_square += std::pow(count - samples / 64.0, 2) / (samples / 64.0);
  EXPECT_LT(chi_square, 63 + 4 * std::sqrt(2.0 * 63));
}

TEST(RandomStream, NormalHasTheRightMomentsAndTails) {
  constexpr int samples = 200000;
  RandomStream random(6, Purpose::probe, 0);
  std::array<double, 5> moment{};
  int beyond_two = 0;
  double product = 0;
  double previous = 0;
  for (int i = 0; i < samples; ++i) {
    const double x = random.normal();
    ASSERT_TRUE(std::isfinite(x));
    for (std::size_t k = 1; k < moment.size(); ++k) moment[k] += std::pow(x, static_cast<double>(k)) / samples;
    if (std::abs(x) > 2) ++beyond_two;
    product += x * previous;
    previous = x;
  }
  EXPECT_NEAR(moment[1], 0, 4 / std::sqrt(samples));
  EXPECT_NEAR(moment[2], 1, 4 * std::sqrt(2.0 / samples));
  EXPECT_NEAR(moment[3], 0, 4 * std::sqrt(15.0 / samples));
  EXPECT_NEAR(moment[4], 3, 4 * std::sqrt(96.0 / samples));
  EXPECT_NEAR(beyond_two / static_cast<double>(samples), 0.04550026, 4 * std::sqrt(0.0455 / samples));
  EXPECT_LT(std::abs(product), 4 * std::sqrt(samples));
}

TEST(RandomStream, BelowStaysBelowAndHitsEveryValueEqually) {
  RandomStream random(7, Purpose::probe, 0);
  for (const std::uint32_t n : {1U, 2U, 3U, 7U, 13U, 169U}) {
    const int samples = 2000 * static_cast<int>(n);
    std::vector<int> count(n, 0);
    for (int i = 0; i < samples; ++i) {
      const std::uint32_t x = random.below(n);
      ASSERT_LT(x, n);
      ++count[x];
    }
    double chi_square = 0;
    for (const int c : count) chi_square += std::pow(c - 2000.0, 2) / 2000;
    const double freedom = n - 1;
    EXPECT_LE(chi_square, freedom + 4 * std::sqrt(2 * freedom)) << "n = " << n;
  }
}

TEST(RandomStream, BelowIsUnbiasedWhereTakingRemaindersIsNot) {
  // For n = 3 2^30, bits() % n would fall below 2^30 half of the time instead of a third.
  constexpr std::uint32_t n = 3U << 30;
  constexpr int samples = 60000;
  RandomStream random(8, Purpose::probe, 0);
  std::array<int, 3> thirds{};
  for (int i = 0; i < samples; ++i) {
    const std::uint32_t x = random.below(n);
    ASSERT_LT(x, n);
    ++thirds[x >> 30];
  }
  for (const int count : thirds) EXPECT_NEAR(count, samples / 3.0, 4 * std::sqrt(samples * 2.0 / 9));
}

TEST(RandomStream, BelowTheLargestBound) {
  RandomStream random(9, Purpose::probe, 0);
  std::uint32_t largest = 0;
  for (int i = 0; i < 1000; ++i) largest = std::max(largest, random.below(0xffffffff));
  EXPECT_LT(largest, 0xffffffff);
  EXPECT_GT(largest, 0xf0000000);
}

}  // namespace
}  // namespace stepwise
