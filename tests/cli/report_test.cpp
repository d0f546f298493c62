#include "stepwise/cli/report.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "stepwise/cli/provenance.hpp"
#include "stepwise/dist/agree.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

using test::world;
using testing::HasSubstr;
using testing::Not;

enum class Sink { terminal, pipe };

/// Standard error goes to a pseudo-terminal or a pipe for as long as this lives.
class CapturedStderr {
 public:
  explicit CapturedStderr(Sink sink) : before_(dup(STDERR_FILENO)) {
    int target = -1;
    if (sink == Sink::terminal) {
      reader_ = posix_openpt(O_RDWR | O_NOCTTY);
      if (reader_ >= 0 && grantpt(reader_) == 0 && unlockpt(reader_) == 0) {
        target = open(ptsname(reader_), O_RDWR | O_NOCTTY);
      }
    } else {
      std::array<int, 2> ends{-1, -1};
      if (pipe(ends.data()) == 0) {
        reader_ = ends[0];
        target = ends[1];
      }
    }
    if (target < 0) throw std::runtime_error("no pseudo-terminal or pipe");
    dup2(target, STDERR_FILENO);
    close(target);
  }
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;
  ~CapturedStderr() {
    dup2(before_, STDERR_FILENO);
    close(before_);
    close(reader_);
  }

  /// What has been written since the last call.
  [[nodiscard]] std::string text() const {
    std::string all;
    std::array<char, 4096> part{};
    pollfd ready{reader_, POLLIN, 0};
    while (poll(&ready, 1, 50) > 0 && (ready.revents & POLLIN) != 0) {
      const ssize_t length = ::read(reader_, part.data(), part.size());
      if (length <= 0) break;
      all.append(part.data(), static_cast<std::size_t>(length));
    }
    return all;
  }

 private:
  int before_;
  int reader_ = -1;
};

void wait(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

TEST(Report, InALogFileAStageIsOneLineWhenItEnds) {
  const CapturedStderr captured(Sink::pipe);
  Report report(world());
  report.stage("kernel matrix", 1e9, [&](const auto& progress) {
    wait(0.25);
    progress(0.5);
    EXPECT_EQ(captured.text(), "");
  });
  report.note("something to know");
  const std::string text = captured.text();
  if (world().rank() == 0) {
    EXPECT_THAT(text, testing::MatchesRegex("kernel matrix: 0\\.[0-9] s\nstepwise: something to know\n"));
  } else {
    EXPECT_EQ(text, "");
  }
}

TEST(Report, OnATerminalAStageShowsProgressOnOneLine) {
  const CapturedStderr captured(Sink::terminal);
  Report report(world());
  std::string running;
  report.stage("kernel matrix", 0, [&](const auto& progress) {
    progress(0.1);  // too early to be worth a line
    wait(0.25);
    progress(0);  // nothing can be said yet
    progress(0.25);
    progress(0.26);  // too soon after the last
    running = captured.text();
  });
  const std::string ended = captured.text();
  if (world().rank() == 0) {
    EXPECT_THAT(running, HasSubstr("kernel matrix ..."));
    EXPECT_THAT(running, testing::ContainsRegex("25 %, [0-9.]+ s left"));
    EXPECT_THAT(running, testing::AllOf(Not(HasSubstr("10 %")), Not(HasSubstr("26 %")), Not(HasSubstr("\n"))));
    EXPECT_THAT(ended, testing::ContainsRegex("^\r\033\\[Kkernel matrix: [0-9.]+ s\r?\n$"));
  } else {
    EXPECT_EQ(running + ended, "");
  }
}

TEST(Report, NotesAndErrorsDoNotMixWithTheRunningLine) {
  const CapturedStderr captured(Sink::terminal);
  std::string before;
  try {
    Report report(world());
    report.stage("modes", 0, [&](const auto& progress) {
      report.note("trying again");
      before = captured.text();
      wait(0.25);
      progress(0.5);
      (void)captured.text();
      attempt(world(), [] { fail(ExitCode::numerical, "no"); });
    });
    ADD_FAILURE() << "no error";
  } catch (const CollectiveError&) {
    const std::string after = captured.text();
    if (world().rank() == 0) {
      EXPECT_THAT(before, HasSubstr("\r\033[Kstepwise: trying again"));
      EXPECT_EQ(after, "\r\033[K");  // the message that follows starts a clean line
    } else {
      EXPECT_EQ(before + after, "");
    }
  }
}

TEST(Report, AStageReturnsWhatItsWorkReturns) {
  const CapturedStderr captured(Sink::pipe);
  Report report(world());
  EXPECT_EQ(report.stage("answer", 0, [](const auto&) { return std::string("42"); }), "42");
  const auto moved = report.stage("pointer", 0, [](const auto&) { return std::make_unique<int>(7); });
  EXPECT_EQ(*moved, 7);
}

TEST(Report, StageTimesAreThoseOfTheSlowestRank) {
  const CapturedStderr captured(Sink::pipe);
  Report report(world());
  report.stage("uneven", 2e9, [](const auto&) {
    if (world().rank() == world().size() - 1) wait(0.2);
  });
  ASSERT_EQ(report.stages().size(), 1U);
  EXPECT_EQ(report.stages()[0].name, "uneven");
  EXPECT_EQ(report.stages()[0].flops, 2e9);
  EXPECT_EQ(report.stages()[0].seconds.where, world().size() - 1);
  EXPECT_LE(report.stages()[0].seconds.least, report.stages()[0].seconds.mean);
  EXPECT_LE(report.stages()[0].seconds.mean, report.stages()[0].seconds.most);
  EXPECT_GE(report.stages()[0].seconds.most, 0.2);
  EXPECT_LT(report.stages()[0].seconds.most, 10);
}

TEST(Report, SplitLastReplacesAStageByItsParts) {
  const CapturedStderr captured(Sink::pipe);
  Report report(world());
  report.stage("data", 0, [](const auto&) {});
  report.stage("modes", 0, [](const auto&) {});
  report.split_last({{"factor", 1.0 + world().rank(), 5e9}, {"eigensolver", 2, 0}});
  ASSERT_EQ(report.stages().size(), 3U);
  EXPECT_EQ(report.stages()[0].name, "data");
  EXPECT_EQ(report.stages()[1].name, "factor");
  EXPECT_EQ(report.stages()[1].seconds.most, world().size());
  EXPECT_EQ(report.stages()[1].seconds.least, 1);
  EXPECT_DOUBLE_EQ(report.stages()[1].seconds.mean, (1.0 + world().size()) / 2);
  EXPECT_EQ(report.stages()[1].flops, 5e9);
  EXPECT_EQ(report.stages()[2].name, "eigensolver");
}

TEST(Report, TheTableAddsUp) {
  const CapturedStderr captured(Sink::pipe);
  Report report(world());
  report.stage("first", 3e9, [](const auto&) { wait(0.06); });
  report.stage("second", 0, [](const auto&) { wait(0.04); });
  report.moved(4e6);
  wait(0.02);
  const std::string table = report.timing_table();
  if (world().rank() != 0) return;
  std::istringstream lines(table);
  std::string line;
  std::getline(lines, line);
  EXPECT_THAT(line, testing::MatchesRegex("stage +seconds +mean +max/mean +% +GFLOP/s +MB/s"));
  std::vector<double> seconds;
  std::vector<double> shares;
  for (const std::string name : {"first", "second", "other", "total"}) {
    std::getline(lines, line);
    EXPECT_THAT(line, testing::StartsWith(name + " "));
    EXPECT_NE(line.back(), ' ') << line;
    line.resize(86, ' ');
    const auto number = [&](std::size_t begin, std::size_t length) {
      const std::string cell = line.substr(begin, length);
      return cell.find_first_not_of(' ') == std::string::npos ? -1 : std::stod(cell);
    };
    seconds.push_back(number(28, 10));
    shares.push_back(number(58, 8));
    const bool is_stage = name == "first" || name == "second";
    EXPECT_EQ(number(38, 10) > 0, is_stage) << line;   // mean
    EXPECT_EQ(number(48, 10) >= 1, is_stage) << line;  // max/mean
    const double rate = number(66, 10);
    const double speed = number(76, 10);
    EXPECT_EQ(rate > 0, name == "first") << line;    // no flops, no rate
    EXPECT_EQ(speed > 0, name == "second") << line;  // no bytes, no speed
    if (name == "first") {
      EXPECT_NEAR(rate, 3 / seconds[0], 0.1 + 0.002 * 3 / seconds[0] / seconds[0]);
    }
    if (name == "second") {
      EXPECT_NEAR(speed, 4 / seconds[1], 0.1 + 0.002 * 4 / seconds[1] / seconds[1]);
    }
  }
  EXPECT_GE(seconds[2], 0.019);
  EXPECT_NEAR(seconds[0] + seconds[1] + seconds[2], seconds[3], 0.003);
  EXPECT_NEAR(shares[0] + shares[1] + shares[2], 100, 0.2);
  EXPECT_NEAR(shares[3], 100, 0.051);
  std::getline(lines, line);
  EXPECT_THAT(line,
              testing::ContainsRegex("^peak memory per rank [0-9.]+ [KMG]iB to [0-9.]+ [KMG]iB \\(rank [0-9]+\\), "
                                     "[0-9.]+ [KMG]iB on all " +
                                     std::to_string(world().size()) + "$"));
}

/// Parts measured on different ranks may add up to more than the whole.
TEST(Report, TheTableHasNoNegativeTimes) {
  const CapturedStderr captured(Sink::pipe);
  Report report(world());
  report.stage("modes", 0, [](const auto&) {});
  report.split_last({{"factor", 1000, 0}});
  EXPECT_THAT(report.timing_table(), Not(HasSubstr("-")));
}

TEST(Provenance, NamesProgramBuildAndLibraries) {
  EXPECT_THAT(version_line(), testing::ContainsRegex("^stepwise [0-9]+\\.[0-9]+\\.[0-9]+ \\(commit .+, .+\\)$"));
  std::vector<std::string> names;
  for (const auto& [name, value] : build_attributes()) {
    names.push_back(name);
    EXPECT_FALSE(std::get<std::string>(value).empty()) << name;
  }
  for (const char* name : {"program", "program_version", "git_commit", "build", "library_mpi", "library_blas",
                           "library_scalapack", "library_elpa", "library_hdf5", "library_boost"}) {
    EXPECT_THAT(names, testing::Contains(name));
  }
}

}  // namespace
}  // namespace stepwise
