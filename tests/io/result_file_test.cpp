#include "stepwise/io/result_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "io/look.hpp"
#include "io/scratch.hpp"
#include "stepwise/dist/agree.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;
using test::deal;
using test::distributions;
using test::expect_refusal;
using test::on_root;
using test::read;
using test::ResultFileTest;
using test::SizeLimit;
using test::world;
using test::write_number;

TEST_F(ResultFileTest, TheNameAppearsOnlyWithTheWholeFile) {
  {
    ResultFile out(world(), file(), false);
    out.write({"/number", "1", "a number", {}}, {}, std::vector{1.5});
    if (world().rank() == 0) {
      EXPECT_FALSE(fs::exists(file()));
      EXPECT_EQ(content().size(), 1U);  // hidden, in the same directory
      EXPECT_THAT(content().at(0), testing::StartsWith("."));
    }
    const std::int64_t size = out.commit();
    if (world().rank() == 0) {
      EXPECT_EQ(static_cast<std::uintmax_t>(size), fs::file_size(file()));
    }
    EXPECT_EQ(size, max(world(), size));
    expect_content({"out.h5"});
  }
  expect_content({"out.h5"});
  on_root(file(), [](const h5::Handle& in) { EXPECT_EQ(read<double>(in, "/number", {}), std::vector{1.5}); });
}

TEST_F(ResultFileTest, WithoutCommitNothingIsLeft) {
  {
    ResultFile out(world(), file(), false);
    out.write({"/number", "1", "a number", {}}, {}, std::vector{1.5});
  }
  expect_content({});
}

TEST_F(ResultFileTest, AFailureOfOneRankLeavesNothing) {
  for (int culprit = 0; culprit < world().size(); ++culprit) {
    expect_refusal(ExitCode::input, {"bad label"}, [&] {
      ResultFile out(world(), file(), false);
      out.write({"/number", "1", "a number", {}}, {}, std::vector{1.5});
      attempt(world(), [&] {
        if (world().rank() == culprit) fail(ExitCode::input, "bad label");
      });
      out.commit();
    });
    expect_content({});
  }
}

/// An exception that nobody agreed on: this rank must get out without waiting for the others.
TEST_F(ResultFileTest, AnExceptionOfItsOwnLeavesNothing) {
  try {
    const ResultFile out(world(), file(), false);
    throw std::logic_error("alone");
  } catch (const std::logic_error&) {
    EXPECT_FALSE(unwinding_together());
  }
  expect_content({});
}

TEST_F(ResultFileTest, ACommitThatFindsTheNameTakenLeavesNothing) {
  ResultFile out(world(), file(), false);
  attempt_on_root(world(), [&] { fs::create_directory(file()); });
  expect_refusal(ExitCode::input, {file(), "is a directory"}, [&] { out.commit(); });
  expect_content({"out.h5"});
}

TEST_F(ResultFileTest, AFullDiskIsAnErrorAndLeavesNothing) {
  const BlockVector rows = deal(distributions(400, 2)[0], 500);
  const auto refuse = [&](rlim_t room, const std::function<void(ResultFile&)>& work) {
    expect_refusal(ExitCode::io, {"--output " + file(), "no room for"}, [&] {
      ResultFile out(world(), file(), false);
      const SizeLimit full(room);  // ends before the file does: removing a file makes room
      work(out);
    });
    expect_content({});
  };
  refuse(1200 * 1024, [&](auto& out) { out.write_samples({"/rows", "1", "rows", {}}, rows); });
  refuse(1200 * 1024, [&](auto& out) {
    out.write({"/number", "1", "a number", {}}, {}, std::vector{1.0});
    out.write_views({"/rows", "1", "rows", {}}, rows);
  });
  refuse(10 * 1024, [&](auto& out) { out.commit(); });  // metadata need room, too
}

/// Room is taken ahead of the writes, but not kept.
TEST_F(ResultFileTest, TheFileIsNoLongerThanItsContent) {
  EXPECT_LT(write_number(file(), 1), 10'000);
  ResultFile out(world(), file(), true);
  out.write_samples({"/rows", "1", "rows", {}}, deal(distributions(400, 2)[0], 500));
  EXPECT_LT(out.commit(), 8 * 800 * 500 + 10'000);
}

TEST_F(ResultFileTest, AnExistingFileNeedsForce) {
  check_output(world(), file(), false);
  expect_content({});
  write_number(file(), 1);
  expect_refusal(ExitCode::input, {"--output " + file(), "exists already", "--force"},
                 [&] { check_output(world(), file(), false); });
  expect_refusal(ExitCode::input, {file(), "exists already"}, [&] { write_number(file(), 2); });
  expect_content({"out.h5"});
  on_root(file(), [](const h5::Handle& in) { EXPECT_EQ(read<double>(in, "/number", {}), std::vector{1.0}); });

  check_output(world(), file(), true);
  write_number(file(), 3, true);
  expect_content({"out.h5"});
  on_root(file(), [](const h5::Handle& in) { EXPECT_EQ(read<double>(in, "/number", {}), std::vector{3.0}); });
}

/// Replacing keeps the old file whole until the new one is.
TEST_F(ResultFileTest, TheOldFileStaysUntilTheNewOneIsWhole) {
  write_number(file(), 1);
  {
    ResultFile out(world(), file(), true);
    out.write({"/number", "1", "a number", {}}, {}, std::vector{2.0});
  }
  expect_content({"out.h5"});
  on_root(file(), [](const h5::Handle& in) { EXPECT_EQ(read<double>(in, "/number", {}), std::vector{1.0}); });
}

TEST_F(ResultFileTest, BadPathsAreRefusedByName) {
  const std::string missing = file("absent/out.h5");
  expect_refusal(ExitCode::io, {missing, "does not exist"}, [&] { check_output(world(), missing, false); });
  expect_refusal(ExitCode::io, {file("absent")}, [&] { const ResultFile out(world(), missing, false); });

  attempt_on_root(world(), [&] { fs::create_directory(file("sub")); });
  for (const bool force : {false, true}) {
    expect_refusal(ExitCode::input, {file("sub"), "is a directory"},
                   [&] { check_output(world(), file("sub"), force); });
  }
  expect_content({"sub"});

  attempt_on_root(world(), [&] { std::ofstream(file("plain")) << "text"; });
  expect_refusal(ExitCode::io, {file("plain/out.h5")}, [&] { check_output(world(), file("plain/out.h5"), false); });
}

TEST_F(ResultFileTest, OnlyARegularFileIsReplaced) {
  attempt_on_root(world(), [&] { mkfifo(file("fifo").c_str(), 0600); });
  for (const std::string& path : {file("fifo"), std::string("/dev/null")}) {
    for (const bool force : {false, true}) {
      expect_refusal(ExitCode::input, {"--output " + path, "not a regular file"},
                     [&] { check_output(world(), path, force); });
    }
  }
  expect_refusal(ExitCode::input, {file("fifo"), "not a regular file"}, [&] { write_number(file("fifo"), 1, true); });
  expect_content({"fifo"});
}

TEST_F(ResultFileTest, SymbolicLinksStayAndTheirTargetIsWritten) {
  attempt_on_root(world(), [&] {
    fs::create_directory(file("sub"));
    fs::create_symlink("sub/second", file("first"));
    fs::create_symlink("out.h5", file("sub/second"));  // dangling, and relative to sub
    fs::create_symlink("absent/out.h5", file("nowhere"));
    fs::create_symlink("circle", file("circle"));
    fs::create_symlink("sub", file("directory"));
  });
  check_output(world(), file("first"), false);
  write_number(file("first"), 1);
  expect_refusal(ExitCode::input, {"--output " + file("first"), "exists already"},
                 [&] { check_output(world(), file("first"), false); });
  check_output(world(), file("first"), true);
  write_number(file("first"), 2, true);
  on_root(file("sub/out.h5"),
          [](const h5::Handle& in) { EXPECT_EQ(read<double>(in, "/number", {}), std::vector{2.0}); });
  expect_refusal(ExitCode::io, {file("nowhere"), "absent does not exist"},
                 [&] { check_output(world(), file("nowhere"), true); });
  expect_refusal(ExitCode::input, {file("circle"), "circle of symbolic links"},
                 [&] { check_output(world(), file("circle"), true); });
  expect_refusal(ExitCode::input, {file("directory"), "is a directory"},
                 [&] { check_output(world(), file("directory"), true); });
  expect_content({"sub", "first", "nowhere", "circle", "directory"});
  if (world().rank() == 0) {
    EXPECT_TRUE(fs::is_symlink(file("first")) && fs::is_symlink(file("sub/second")));
    EXPECT_EQ(std::distance(fs::directory_iterator(file("sub")), {}), 2);
  }
}

TEST_F(ResultFileTest, InputsAreNotOverwritten) {
  write_number(file("in.h5"), 1);
  attempt_on_root(world(), [&] {
    fs::create_symlink("in.h5", file("link"));
    fs::create_directory(file("sub"));
  });
  for (const std::string& path : {file("in.h5"), file("link"), file("sub/../in.h5")}) {
    for (const bool force : {false, true}) {
      expect_refusal(ExitCode::input, {"--output " + path, "the input " + file("in.h5")}, [&] {
        check_output(world(), path, force, {"", file("in.h5")});
      });
    }
  }
  check_output(world(), file("other.h5"), false, {"", file("absent"), file("in.h5")});
}

TEST_F(ResultFileTest, ADirectoryWithoutWritePermissionIsRefused) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  attempt_on_root(world(), [&] {
    fs::create_directory(file("locked"));
    fs::permissions(file("locked"), fs::perms::owner_read | fs::perms::owner_exec);
  });
  const std::string path = file("locked/out.h5");
  expect_refusal(ExitCode::io, {path, "takes no new file"}, [&] { check_output(world(), path, false); });
  expect_refusal(ExitCode::io, {file("locked")}, [&] { const ResultFile out(world(), path, false); });
}

}  // namespace
}  // namespace stepwise
