#include "stepwise/io/hyperslab.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace stepwise {
namespace {

std::vector<std::int64_t> indices(const std::vector<Stripe>& parts) {
  std::vector<std::int64_t> all;
  for (const Stripe& part : parts) {
    for (std::int64_t c = 0; c < part.count; ++c) {
      for (std::int64_t b = 0; b < part.block; ++b) all.push_back(part.start + c * part.stride + b);
    }
  }
  return all;
}

TEST(Hyperslab, StripesAreWhatTheMapSays) {
  for (const std::int64_t n : {1, 5, 6, 7, 24, 25}) {
    for (const std::int64_t block : {1, 2, 3, 8}) {
      for (const std::int64_t procs : {1, 2, 3, 5}) {
        const BlockCyclic map{n, block, procs};
        for (std::int64_t proc = 0; proc < procs; ++proc) {
          for (std::int64_t begin = 0; begin < n; begin += block) {
            for (std::int64_t end = begin; end < n + block; end += block) {
              std::vector<std::int64_t> expected;
              for (std::int64_t i = begin; i < std::min(end, n); ++i) {
                if (map.owner(Global{i}) == proc) expected.push_back(i);
              }
              const auto parts = stripes(map, proc, {begin, std::min(end, n)});
              EXPECT_LE(parts.size(), 2U);
              EXPECT_EQ(indices(parts), expected) << n << " " << block << " " << procs << " " << begin << " " << end;
            }
          }
        }
      }
    }
  }
}

TEST(Hyperslab, StackedStripesArePairsViewByView) {
  for (const std::int64_t views : {1, 2, 3}) {
    const BlockCyclic map{views * 7, views * 2, 2};
    const std::int64_t n = map.n / views;
    for (std::int64_t proc = 0; proc < 2; ++proc) {
      std::vector<std::int64_t> expected;
      for (std::int64_t view = 0; view < views; ++view) {
        for (std::int64_t l = view; l < map.local_count(proc); l += views) {
          expected.push_back(view * n + value(map.to_global(Local{l}, proc)) / views);
        }
      }
      EXPECT_EQ(indices(stacked_stripes(map, proc, {0, map.n}, views)), expected);
    }
  }
}

TEST(Hyperslab, PanelsAreWholeRoundsOrOneBlock) {
  const BlockCyclic rows{1000, 10, 4};
  const BlockCyclic cols{1000, 10, 2};  // 500 of them on a process
  EXPECT_EQ(panel_rows(rows, cols, 500 * 10), 40);
  EXPECT_EQ(panel_rows(rows, cols, 500 * 29), 80);
  EXPECT_EQ(panel_rows(rows, cols, 500 * 9), 10);
  EXPECT_EQ(panel_rows(rows, {0, 10, 2}, 100), 400);
}

/// Sizes far beyond 32 bits, of which nothing is allocated.
TEST(Hyperslab, LargeMatricesAreCutWithoutOverflow) {
  for (const std::int64_t n : {1'000'000, 10'000'000}) {
    for (const std::int64_t procs : {1, 7, 100}) {
      const BlockCyclic map{n, 64, procs};
      std::int64_t rows = 0;
      std::int64_t entries = 0;
      for (std::int64_t proc = 0; proc < procs; ++proc) {
        const auto parts = stripes(map, proc, {0, n});
        const std::int64_t own = std::accumulate(parts.begin(), parts.end(), std::int64_t{0},
                                                 [](std::int64_t sum, const Stripe& s) { return sum + s.size(); });
        EXPECT_EQ(own, map.local_count(proc));
        const Stripe& last = parts.back();
        EXPECT_LE(last.start + (last.count - 1) * last.stride + last.block, n);
        rows += own;
        for (std::int64_t col = 0; col < procs; ++col) entries += own * map.local_count(col);
      }
      EXPECT_EQ(rows, n);
      EXPECT_EQ(entries, n * n);
      const std::int64_t height = panel_rows(map, map, std::int64_t{1} << 23);
      EXPECT_GT(height, 0);
      EXPECT_EQ(height % 64, 0);
    }
  }
}

}  // namespace
}  // namespace stepwise
