#include "stepwise/cli/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "stepwise/cli/report.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;
using test::world;
using testing::HasSubstr;
using testing::MatchesRegex;

/// A file of these tests alone, gone at the end.
class LogFile : public testing::Test {
 protected:
  [[nodiscard]] LogSettings settings(const std::string& format, const std::string& level = "info") const {
    return {level, name_, format};
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::vector<std::string> lines() const {
    std::ifstream file(name_);
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
  }
  void TearDown() override {
    MPI_Barrier(world().raw());
    if (world().rank() == 0) fs::remove(name_);
    MPI_Barrier(world().raw());
  }

 private:
  std::string name_ = fmt::format("{}/log_test.{}.log", STEPWISE_TEST_SCRATCH, world().size());
};

TEST_F(LogFile, TextHasTimeAndLevel) {
  {
    Log log(world(), settings("text"));
    log.write({LogLevel::info, "stage", "kernel matrix: 0.1 s", "kernel matrix"});
    log.write({LogLevel::debug, "begin", "not told"});
  }
  if (world().rank() != 0) return;
  EXPECT_THAT(lines(),
              testing::ElementsAre(MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9:]+Z info    kernel matrix: 0.1 s")));
}

TEST_F(LogFile, JsonIsOneEventALine) {
  {
    Log log(world(), settings("json", "debug"));
    log.write({LogLevel::info, "note", "two\nlines", "modes", {{"count", 3}}});
    log.write({LogLevel::debug, "begin", "told"});
  }
  if (world().rank() != 0) return;
  const auto all = lines();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_THAT(all[0], MatchesRegex(".\"time\": \"[0-9T:.-]+Z\", \"level\": \"info\", \"event\": \"note\", \"stage\": "
                                   "\"modes\", \"message\": \"two.nlines\", \"fields\": ..count.: 3.."));
  EXPECT_THAT(all[1], HasSubstr("\"stage\": null, \"message\": \"told\""));
}

TEST_F(LogFile, IsAppendedTo) {
  for (int i = 0; i < 2; ++i) Log(world(), settings("text")).write({LogLevel::info, "note", "again"});
  if (world().rank() == 0) {
    EXPECT_EQ(lines().size(), 2U);
  }
}

TEST_F(LogFile, LevelsAreKept) {
  for (const char* level : {"error", "warning", "info", "debug"}) {
    Log log(world(), settings("text", level));
    for (const LogLevel each : {LogLevel::error, LogLevel::info, LogLevel::debug}) log.write({each, "note", "x"});
  }
  if (world().rank() == 0) {
    EXPECT_EQ(lines().size(), 1U + 1 + 2 + 3);
  }
}

TEST_F(LogFile, AFileThatCannotBeOpenedIsAnErrorOfAll) {
  try {
    const Log log(world(), {"info", "/nonexistent/run.log", "text"});
    ADD_FAILURE() << "opened";
  } catch (const CollectiveError& error) {
    EXPECT_EQ(error.code(), ExitCode::io);
    EXPECT_THAT(error.what(), HasSubstr("--log-file /nonexistent/run.log: cannot be opened"));
  }
}

TEST_F(LogFile, DataAreNotAppendedTo) {
  if (world().rank() == 0) std::ofstream(name()) << std::string("\x89HDF\r\n\x1a\n\0\0", 10);
  MPI_Barrier(world().raw());
  try {
    const Log log(world(), settings("text"));
    ADD_FAILURE() << "opened";
  } catch (const CollectiveError& error) {
    EXPECT_EQ(error.code(), ExitCode::input);
    EXPECT_THAT(error.what(), HasSubstr("not a text file"));
  }
  if (world().rank() == 0) {
    EXPECT_EQ(fs::file_size(name()), 10U);
  }
}

/// The header is for people who see it at every run.
TEST_F(LogFile, TheHeaderIsShort) {
  RunInfo info;
  info.command = "stepwise solve --modes 3";
  info.changed = {{"modes", "3"}, {"output", "a b.h5"}};
  info.all = {{"modes", "3"}, {"output", "a b.h5"}, {"seed", "4"}};
  info.placement.ranks = {{"n1", {0, 1}, 2}, {"n2", {0, 1}, 2}};
  {
    Report report(world(), settings("text"), info);
    report.start({"cholesky, 8 samples", "x.y", GridShape{2, 1}, 64, true});
  }
  if (world().rank() != 0) return;
  const auto all = lines();
  ASSERT_EQ(all.size(), 7U);
  EXPECT_THAT(all[0], testing::ContainsRegex("info    stepwise [0-9.]+ \\(commit "));
  EXPECT_EQ(all[1], "  hosts      n[1-2] (1 rank each)");
  EXPECT_EQ(all[2], "  ranks      2, 2 threads each, on cores 0-1 | 0-1; process grid 2 x 1, blocks of 64");
  EXPECT_THAT(all[3], MatchesRegex("  libraries  .+, OpenBLAS [0-9.]+, ScaLAPACK .+, ELPA .+, HDF5 [0-9.]+"));
  EXPECT_EQ(all[4], "  problem    cholesky, 8 samples");
  EXPECT_EQ(all[5], "  kernel     x.y");
  EXPECT_EQ(all[6], "  settings   modes 3, output 'a b.h5'");
}

TEST_F(LogFile, WarningsComeBehindTheHeader) {
  RunInfo info;
  info.placement.ranks = {{"n1", {0}, 1}, {"n1", {0}, 1}};
  {
    testing::internal::CaptureStderr();
    Report report(world(), settings("text", "warning"), info);
    report.start({"krylov"});
    const std::string told = testing::internal::GetCapturedStderr();
    EXPECT_EQ(told.find("stepwise: warning: n1: 2 ranks") == 0, world().rank() == 0) << told;
  }
  if (world().rank() == 0) {
    EXPECT_THAT(lines(), testing::ElementsAre(HasSubstr("warning n1: 2 ranks")));
  }
}

TEST(Log, TimesAreUtc) {
  EXPECT_THAT(utc_now(), MatchesRegex("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]Z"));
  EXPECT_THAT(utc_now(true), MatchesRegex(".*:[0-9][0-9]\\.[0-9][0-9][0-9]Z"));
}

}  // namespace
}  // namespace stepwise
