#include "stepwise/cli/placement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <numeric>

#include "stepwise/cli/threads.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

using test::world;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<int> cores(int begin, int end) {
  std::vector<int> numbers(static_cast<std::size_t>(end - begin));
  std::iota(numbers.begin(), numbers.end(), begin);
  return numbers;
}

/// `ranks` on one node, each with `threads` and cores of its own.
std::vector<RankPlace> bound(const std::string& host, int ranks, int threads) {
  std::vector<RankPlace> places;
  for (int r = 0; r < ranks; ++r) places.push_back({host, cores(r * threads, (r + 1) * threads), threads});
  return places;
}

/// The same, but every rank may use all cores.
std::vector<RankPlace> loose(const std::string& host, int ranks, int threads, int all) {
  return std::vector<RankPlace>(static_cast<std::size_t>(ranks), RankPlace{host, cores(0, all), threads});
}

std::vector<RankPlace> operator+(std::vector<RankPlace> left, const std::vector<RankPlace>& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Placement placed(std::vector<RankPlace> ranks) {
  Placement placement;
  placement.ranks = std::move(ranks);
  placement.blas = "/usr/lib/x86_64-linux-gnu/openblas-openmp/libopenblasp-r0.3.21.so";
  return placement;
}

std::vector<std::string> warnings(std::vector<RankPlace> ranks) {
  return placement_warnings(placed(std::move(ranks)), std::nullopt);
}

TEST(Placement, NothingToSayOfAGoodOne) {
  EXPECT_THAT(warnings(bound("a", 1, 16)), IsEmpty());
  EXPECT_THAT(warnings(bound("a", 4, 4)), IsEmpty());
  EXPECT_THAT(warnings(bound("a", 4, 4) + bound("b", 2, 8)), IsEmpty());
  EXPECT_THAT(warnings(loose("a", 1, 2, 2) + loose("b", 1, 2, 2)), IsEmpty()) << "alone on its node, bound to nothing";
  std::vector<RankPlace> roomy = bound("a", 2, 8);
  for (RankPlace& rank : roomy) rank.threads = 2;
  EXPECT_THAT(warnings(roomy), IsEmpty());
}

TEST(Placement, MoreRanksThanCores) {
  EXPECT_THAT(
      warnings(loose("node7", 6, 1, 4)),
      ElementsAre(AllOf(HasSubstr("node7: 6 ranks with 6 threads in all on 4 cores"), HasSubstr("fewer ranks"))));
  // Two ranks that are bound to the same core, as two mpirun on one node do.
  const std::vector<RankPlace> same{{"a", {0}, 1}, {"a", {0}, 1}};
  EXPECT_THAT(warnings(same), ElementsAre(HasSubstr("2 ranks with 2 threads in all on 1 core,")));
}

TEST(Placement, MoreThreadsThanCores) {
  Placement placement = placed(loose("a", 4, 4, 8) + loose("b", 4, 4, 8));
  placement.user_threads = true;
  EXPECT_THAT(placement_warnings(placement, std::nullopt),
              ElementsAre(AllOf(HasSubstr("a: 4 ranks with 16 threads in all on 8 cores"),
                                HasSubstr("lower OMP_NUM_THREADS"), HasSubstr("and 1 other nodes"))));
  placement.foreign_threads = true;
  EXPECT_THAT(placement_warnings(placement, std::nullopt), ElementsAre(HasSubstr("OPENBLAS_NUM_THREADS=1")));
}

TEST(Placement, RanksThatAreNotBound) {
  EXPECT_THAT(warnings(loose("a", 2, 4, 8)),
              ElementsAre(AllOf(HasSubstr("a: 2 ranks share 8 cores"), HasSubstr("slot:PE=4"), HasSubstr("srun"))));
}

TEST(Placement, ARankWithMoreThreadsThanItsCores) {
  const std::vector<RankPlace> narrow{{"a", cores(0, 7), 2}, {"a", {7}, 4}};
  EXPECT_THAT(warnings(narrow),
              ElementsAre(AllOf(HasSubstr("rank 1 has 4 threads on 1 core"), HasSubstr("slot:PE=4"))));
}

TEST(Placement, SlowOrStubbornBlas) {
  Placement placement = placed(bound("a", 2, 2));
  for (const char* fast :
       {"/usr/lib/x86_64-linux-gnu/openblas-openmp/libblas.so.3", "/opt/intel/mkl/lib/libmkl_rt.so.2",
        "/usr/lib/x86_64-linux-gnu/blis-openmp/libblas.so.3", ""}) {
    placement.blas = fast;
    EXPECT_THAT(placement_warnings(placement, std::nullopt), IsEmpty()) << fast;
  }
  placement.blas = "/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0";
  EXPECT_THAT(placement_warnings(placement, std::nullopt), ElementsAre(HasSubstr("is the reference BLAS")));
  placement.blas = "/opt/lib/libunknown.so";
  placement.dgemm = Spread{60e9, 62e9, 70e9, 0};
  EXPECT_THAT(placement_warnings(placement, std::nullopt), IsEmpty());
  placement.dgemm = Spread{2.5e9, 3e9, 4e9, 0};
  EXPECT_THAT(placement_warnings(placement, std::nullopt),
              ElementsAre(HasSubstr("DGEMM does 2.5 GFLOP/s on a rank of 2 threads")));
  placement.dgemm.reset();
  placement.ignored_variable = true;
  EXPECT_THAT(placement_warnings(placement, std::nullopt), ElementsAre(HasSubstr("OPENBLAS_NUM_THREADS is ignored")));
}

TEST(Placement, GridsThatAreOneRow) {
  const Placement placement = placed(bound("a", 2, 2));
  const auto of_grid = [&](int rows, int cols) { return placement_warnings(placement, GridShape{rows, cols}); };
  for (const auto& [rows, cols] : {std::pair(1, 1), {2, 1}, {3, 1}, {2, 2}, {3, 2}, {4, 4}}) {
    EXPECT_THAT(of_grid(rows, cols), IsEmpty()) << rows << " x " << cols;
  }
  EXPECT_THAT(of_grid(13, 1), ElementsAre(HasSubstr("13 ranks make a 13 x 1 process grid, on which direct methods are "
                                                    "slow: 12 ranks make 4 x 3")));
  EXPECT_THAT(of_grid(1, 12), ElementsAre(HasSubstr("--solver.grid auto is 4 x 3")));
}

TEST(Placement, HostsInShort) {
  EXPECT_EQ(host_list(bound("vm", 1, 2)), "vm (1 rank)");
  EXPECT_EQ(host_list(bound("n09", 2, 1) + bound("n10", 2, 1) + bound("n11", 2, 1) + bound("n12", 1, 1)),
            "n[09-11] (2 ranks each), n12 (1 rank)");
  EXPECT_EQ(host_list(bound("n1", 2, 1) + bound("n3", 2, 1) + bound("m4", 2, 1)),
            "n1 (2 ranks), n3 (2 ranks), m4 (2 ranks)");
  EXPECT_EQ(host_list(bound("a", 1, 1) + bound("b", 1, 1) + bound("a", 1, 1)), "a (2 ranks), b (1 rank)") << "in turn";
  EXPECT_EQ(host_list(bound("12345678901234567890", 1, 1)), "12345678901234567890 (1 rank)");
}

TEST(Placement, CoresInShort) {
  EXPECT_EQ(core_list({}), "");
  EXPECT_EQ(core_list({5}), "5");
  EXPECT_EQ(core_list({0, 1, 2, 3, 8, 10, 11}), "0-3,8,10-11");
}

TEST(Placement, BindingInWords) {
  EXPECT_EQ(binding_text(bound("a", 2, 4)), "on cores 0-3 | 4-7");
  EXPECT_EQ(binding_text(loose("a", 2, 4, 8)), "not bound: they share cores 0-7");
  EXPECT_EQ(binding_text(loose("a", 2, 1, 8) + loose("b", 2, 1, 8)), "not bound: they share the 8 cores of a node");
  EXPECT_EQ(binding_text(bound("a", 16, 4)), "bound to 4 cores each");
  EXPECT_EQ(binding_text(bound("a", 8, 4) + bound("b", 1, 16)), "bound to 4 to 16 cores each");
}

TEST(Placement, OfThisMachine) {
  const Placement placement = find_placement(world());
  ASSERT_EQ(placement.ranks.size(), static_cast<std::size_t>(world().size()));
  const RankPlace& mine = placement.ranks[static_cast<std::size_t>(world().rank())];
  EXPECT_EQ(mine.cores, allowed_cores());
  EXPECT_EQ(mine.threads, omp_get_max_threads());
  EXPECT_FALSE(mine.host.empty());
  EXPECT_THAT(placement.blas, HasSubstr("/lib"));
  EXPECT_FALSE(placement.dgemm);
}

TEST(Placement, DgemmIsMeasured) {
  const double rate = measure_dgemm(world());
  EXPECT_GT(rate, 1e7);
  EXPECT_LT(rate, 1e15);
}

}  // namespace
}  // namespace stepwise
