#include "stepwise/cli/threads.hpp"

#include <gtest/gtest.h>
#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>

#include "support/grids.hpp"

namespace stepwise {
namespace {

using test::world;

/// Restores what choose_threads looks at and sets.
class Threads : public testing::Test {
 protected:
  void SetUp() override {
    if (const char* text = std::getenv("OMP_NUM_THREADS")) variable_ = text;
    threads_ = omp_get_max_threads();
    sched_getaffinity(0, sizeof cores_, &cores_);
    unsetenv("OMP_NUM_THREADS");
  }
  void TearDown() override {
    if (variable_) setenv("OMP_NUM_THREADS", variable_->c_str(), 1);
    omp_set_num_threads(threads_);
    sched_setaffinity(0, sizeof cores_, &cores_);
  }

  [[nodiscard]] const cpu_set_t& cores() const { return cores_; }
  /// Leaves this rank one of its cores.
  void pin(int number) const {
    number %= CPU_COUNT(&cores_);
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &cores_) && number-- == 0) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
      }
    }
  }

 private:
  std::optional<std::string> variable_;
  int threads_ = 1;
  cpu_set_t cores_{};
};

TEST_F(Threads, RanksShareTheCoresOfTheNode) {
  const int own = CPU_COUNT(&cores());
  const int threads = choose_threads(world());
  EXPECT_EQ(threads, omp_get_max_threads());
  EXPECT_GE(threads, 1);
  EXPECT_LE(threads, own);
  // Here all ranks may use the same cores, unless they were bound.
  if (min(world(), std::int64_t{own}) == omp_get_num_procs()) {
    EXPECT_EQ(threads, std::max(1, own / ranks_on_node(world())));
  }
}

TEST_F(Threads, ARankBoundToOneCoreGetsOneThread) {
  pin(world().rank());
  omp_set_num_threads(7);
  EXPECT_EQ(choose_threads(world()), 1);
  EXPECT_EQ(omp_get_max_threads(), 1);
}

TEST_F(Threads, TheUsersVariableWins) {
  omp_set_num_threads(3);  // as OpenMP's start does for OMP_NUM_THREADS=3
  setenv("OMP_NUM_THREADS", "3", 1);
  EXPECT_EQ(choose_threads(world()), 3);
  EXPECT_EQ(omp_get_max_threads(), 3);
  unsetenv("OMP_NUM_THREADS");
}

}  // namespace
}  // namespace stepwise
