#include "stepwise/solve/limits.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "stepwise/dist/block_cyclic.hpp"
#include "stepwise/solve/krylov.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t largest_int = std::numeric_limits<int>::max();

TEST(Limits, SmallMatricesFitAnywhere) {
  for (const std::int64_t n : {1, 2, 1000, 20'000}) {
    EXPECT_TRUE(dense_solve_fits(n, 64, {1, 1})) << n;
    EXPECT_EQ(smallest_rank_count(n, 64), 1) << n;
  }
}

/// Twice a rank's part of the matrix is workspace: on one rank 2^30 entries are too many.
TEST(Limits, OneRankEndsBeforeItsPartHas2To30Entries) {
  EXPECT_TRUE(dense_solve_fits(30'000, 64, {1, 1}));
  EXPECT_FALSE(dense_solve_fits(32'768, 64, {1, 1}));
  EXPECT_TRUE(dense_solve_fits(32'768, 64, {2, 1}));
  EXPECT_GT(pdsyevd_workspace(32'768, 64, {1, 1}), largest_int);
}

TEST(Limits, TheSmallestRankCountWorksAndOneLessDoesNot) {
  for (const std::int64_t n : {40'000, 200'000, 1'000'000}) {
    const std::int64_t ranks = smallest_rank_count(n, 64);
    ASSERT_GT(ranks, 1) << n;
    EXPECT_TRUE(dense_solve_fits(n, 64, nearly_square(static_cast<int>(ranks)))) << n;
    EXPECT_FALSE(dense_solve_fits(n, 64, nearly_square(static_cast<int>(ranks - 1)))) << n;
    const GridShape grid = nearly_square(static_cast<int>(ranks));
    EXPECT_LE(BlockCyclic({n, 64, grid.rows}).local_count(0) * BlockCyclic({n, 64, grid.cols}).local_count(0),
              largest_int);
  }
}

TEST(Limits, SizesOfMillionsAreCountedWithoutOverflow) {
  const std::int64_t million = smallest_rank_count(1'000'000, 64);
  EXPECT_GT(million, 900);
  EXPECT_LT(million, 1'300);
  const std::int64_t ten_million = smallest_rank_count(10'000'000, 64);
  EXPECT_GT(ten_million, 90'000);
  EXPECT_LT(ten_million, 130'000);
  // 10^14 and more entries on one rank.
  EXPECT_FALSE(dense_solve_fits(10'000'000, 64, {1, 1}));
  EXPECT_GT(pdsyevd_workspace(10'000'000, 64, {1, 1}), 200'000'000'000'000);
}

TEST(Limits, AnOrderBeyondTheirIntegersIsTooLargeForAnyNumberOfRanks) {
  EXPECT_EQ(smallest_rank_count(largest_int, 64), 0);
  EXPECT_EQ(smallest_rank_count(std::int64_t{1} << 46, 64), 0);
  EXPECT_FALSE(dense_solve_fits(largest_int, 64, {30'000, 30'000}));
}

TEST(Limits, TheProjectedOrderIsTheLargestWithRoomInLapack) {
  const auto workspace = [](std::int64_t n) { return 1 + 6 * n + 2 * n * n; };
  EXPECT_LE(workspace(largest_projected_order), largest_int);
  EXPECT_GT(workspace(largest_projected_order + 1), largest_int);
  // Ten modes of ten million samples are far from it.
  EXPECT_LT(krylov_sizes(10'000'000, {.modes = 10}).basis, 1000);
}

}  // namespace
}  // namespace stepwise
