#include "stepwise/cli/time_limit.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <ctime>

#include "stepwise/core/stop.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

using test::world;

class TimeLimitTest : public ::testing::Test {
 protected:
  void TearDown() override {
    forget_stop_request();
    for (const char* name : {"SLURM_JOB_ID", "SLURM_JOB_END_TIME"}) unsetenv(name);
  }
};

TEST(Duration, AsSlurmWritesIt) {
  EXPECT_EQ(parse_duration("01:02:03"), 3723);
  EXPECT_EQ(parse_duration("100:00:00"), 360000);
  EXPECT_EQ(parse_duration("2-00:00:01"), 172801);
  EXPECT_EQ(parse_duration("59:07"), 3547);
  for (const char* text :
       {"", "5", "1:60", "1:2:3:4", "-1:00:00", "1-02:03", "a:b", "1:00:", ":30", "UNLIMITED", "1e3:00"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST_F(TimeLimitTest, SlurmTellsTheEndOfTheJob) {
  EXPECT_EQ(slurm_seconds_left(), std::nullopt);
  setenv("SLURM_JOB_ID", "7", 1);
  setenv("SLURM_JOB_END_TIME", std::to_string(std::time(nullptr) + 100).c_str(), 1);
  ASSERT_TRUE(slurm_seconds_left().has_value());
  EXPECT_NEAR(*slurm_seconds_left(), 100, 2);
}

TEST_F(TimeLimitTest, SignalsRequestAStop) {
  const TimeLimit limit(world(), std::nullopt);
  EXPECT_TRUE(std::isinf(limit.seconds_left()));
  EXPECT_FALSE(stop_requested());
  raise(SIGUSR1);
  EXPECT_TRUE(stop_requested());
  EXPECT_EQ(limit.cause(), "signal SIGUSR1");
  raise(SIGUSR1);  // at once: the same one on another way
  raise(SIGTERM);
}

TEST_F(TimeLimitTest, TheEndOfTheWallTimeRequestsAStopBeforehand) {
  TimeLimit limit(world(), 1000);
  EXPECT_EQ(limit.reserve(), 50);
  EXPECT_FALSE(stop_requested());
  limit.keep_free(10);
  EXPECT_EQ(limit.reserve(), 50);
  limit.keep_free(2000);
  for (int i = 0; i < 1000 && !stop_requested(); ++i) usleep(10'000);
  EXPECT_TRUE(stop_requested());
  EXPECT_EQ(limit.cause(), "the end of the wall time");
  EXPECT_LT(limit.seconds_left(), 1000);
}

TEST_F(TimeLimitTest, ASecondSignalEndsTheProcess) {
  if (world().size() > 1) GTEST_SKIP() << "forks";
  EXPECT_EXIT(
      {
        const TimeLimit limit(world(), std::nullopt);
        raise(SIGUSR1);
        usleep(2'200'000);
        raise(SIGUSR1);
      },
      ::testing::ExitedWithCode(75), "second signal");
}

}  // namespace
}  // namespace stepwise
