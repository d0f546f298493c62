#include "stepwise/io/result_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
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
using test::members;
using test::number_attribute;
using test::on_root;
using test::open_object;
using test::read;
using test::ResultFileTest;
using test::scales_of;
using test::SizeLimit;
using test::text_attribute;
using test::world;
using testing::HasSubstr;

/// Something small and complete.
std::int64_t write_number(const std::string& path, double number, bool force = false) {
  ResultFile out(world(), path, force);
  out.write({"/number", "1", "a number", {}}, {}, std::vector{number});
  return out.commit();
}

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

TEST_F(ResultFileTest, BandsMakeAMatrix) {
  const std::vector<std::vector<std::int64_t>> shapes{{0, 3, 1}, {1, 1, 1}, {7, 3, 2}, {7, 3, 100}, {24, 5, 3}};
  std::int64_t number = 0;
  for (const auto& shape : shapes) {
    for (const bool single : {false, true}) {
      const std::string path = file(fmt::format("bands{}.h5", number++));
      ResultFile out(world(), path, false);
      const std::int64_t cols = shape[1];
      out.write_bands({"/a/matrix", "1", "a matrix", {}},
                      {shape[0], cols, shape[2], single, [&](Range rows, std::span<double> values) {
                         for (std::int64_t i = 0; i < std::ssize(values); ++i) {
                           values[static_cast<std::size_t>(i)] = static_cast<double>(rows.begin * cols + i);
                         }
                       }});
      out.commit();
      std::vector<double> expected(static_cast<std::size_t>(shape[0] * cols));
      std::iota(expected.begin(), expected.end(), 0.0);
      on_root(path, [&](const h5::Handle& in) {
        const std::vector<hsize_t> extents{static_cast<hsize_t>(shape[0]), static_cast<hsize_t>(cols)};
        if (single) {
          const std::vector<float> rounded(expected.begin(), expected.end());
          EXPECT_EQ(read<float>(in, "/a/matrix", extents), rounded);
        } else {
          EXPECT_EQ(read<double>(in, "/a/matrix", extents), expected);
        }
      });
    }
  }
}

TEST_F(ResultFileTest, ABandThatFailsLeavesNothing) {
  expect_refusal(ExitCode::io, {"disk"}, [&] {
    ResultFile out(world(), file(), false);
    out.write_bands({"/a/matrix", "1", "a matrix", {}}, {9, 2, 1, false, [](Range rows, std::span<double>) {
                                                           if (rows.begin == 8) fail(ExitCode::io, "disk");
                                                         }});
  });
  expect_content({});
}

/// Rows of two columns that are 10 row + column.
BlockVector counted_rows(Range rows) {
  BlockVector part = make_block_vector(world(), rows.size(), 2, 1);
  const auto local = part.local();
  for (std::int64_t s = 0; s < local.cols; ++s) {
    for (std::int64_t j = 0; j < 2; ++j) {
      local(j, s) = static_cast<double>(10 * (rows.begin + part.range.begin + s) + j);
    }
  }
  return part;
}

TEST_F(ResultFileTest, TurnsMakeAMatrix) {
  ResultFile out(world(), file(), false);
  out.write_turns({"/a/rows", "1", "rows", {}}, 13, 2, {{0, 5}, {5, 6}, {6, 13}}, counted_rows);
  out.write_turns({"/a/none", "1", "no rows", {}}, 0, 2, {}, counted_rows);
  out.commit();
  std::vector<double> expected;
  for (int row = 0; row < 13; ++row) expected.insert(expected.end(), {10.0 * row, 10.0 * row + 1});
  on_root(file(), [&](const h5::Handle& in) {
    EXPECT_EQ(read<double>(in, "/a/rows", {13, 2}), expected);
    EXPECT_TRUE(read<double>(in, "/a/none", {0, 2}).empty());
  });
}

TEST_F(ResultFileTest, TurnsThatAreNotAllRowsLeaveNothing) {
  const std::vector<std::vector<Range>> wrong{{{0, 5}}, {{0, 5}, {6, 13}}, {{0, 14}}, {}};
  for (const auto& turns : wrong) {
    expect_refusal(ExitCode::internal, {"/a/rows"}, [&] {
      ResultFile out(world(), file(), false);
      out.write_turns({"/a/rows", "1", "rows", {}}, 13, 2, turns, counted_rows);
    });
  }
  expect_content({});
}

TEST_F(ResultFileTest, ReplicatedNumbersComeBack) {
  const std::vector<double> reals{0.1, -1e300, 5e-324, 0, -0.0, 2.0 / 3};
  const std::vector<std::int64_t> integers{0, -1, INT64_MAX, INT64_MIN};
  ResultFile out(world(), file(), false);
  out.write({"/a/b/reals", "m", "real numbers", {}}, {2, 3}, reals);
  out.write({"/a/integers", "1", "whole numbers", {}}, {4}, integers);
  out.write({"/scalar", "1", "one number", {}}, {}, std::vector<std::int64_t>{42});
  out.write({"/nothing", "1", "no numbers", {}}, {0, 3}, std::vector<double>{});
  out.commit();
  on_root(file(), [&](const h5::Handle& in) {
    EXPECT_EQ(read<double>(in, "/a/b/reals", {2, 3}), reals);
    EXPECT_EQ(read<std::int64_t>(in, "/a/integers", {4}), integers);
    EXPECT_EQ(read<std::int64_t>(in, "/scalar", {}), std::vector<std::int64_t>{42});
    EXPECT_TRUE(read<double>(in, "/nothing", {0, 3}).empty());
    EXPECT_EQ(members(in), (std::vector<std::string>{"a", "nothing", "scalar"}));
  });
}

/// Only rank 0's numbers reach the file.
TEST_F(ResultFileTest, RankZeroWritesReplicatedNumbers) {
  ResultFile out(world(), file(), false);
  out.write({"/rank", "1", "number of the rank that wrote this", {}}, {1}, std::vector{1.0 * world().rank()});
  out.attributes("/", {{"rank", std::int64_t{world().rank()}},
                       {"half", 0.5 * world().rank()},
                       {"text", std::string(static_cast<std::size_t>(1 + 2000 * world().rank()), 'x')}});
  out.commit();
  on_root(file(), [](const h5::Handle& in) {
    EXPECT_EQ(read<double>(in, "/rank", {1}), std::vector{0.0});
    EXPECT_EQ(number_attribute<std::int64_t>(in, "rank"), 0);
    EXPECT_EQ(number_attribute<double>(in, "half"), 0);
    EXPECT_EQ(text_attribute(in, "text"), "x");
  });
}

TEST_F(ResultFileTest, DistributedRowsComeBackHoweverTheyAreDealtOut) {
  for (const std::int64_t samples : {1, 3, 7, 64}) {
    for (const std::int64_t width : {1, 5}) {
      std::vector<double> expected;
      for (std::int64_t i = 0; i < samples; ++i) {
        for (std::int64_t j = 0; j < width; ++j) expected.push_back(static_cast<double>(100 * i + j));
      }
      for (const auto& sizes : distributions(samples, 1)) {
        ResultFile out(world(), file(), true);
        out.write_samples({"/rows", "1", "rows", {}}, deal(sizes, width));
        out.commit();
        on_root(file(), [&](const h5::Handle& in) {
          EXPECT_EQ(read<double>(in, "/rows", {static_cast<hsize_t>(samples), static_cast<hsize_t>(width)}), expected);
        });
      }
    }
  }
}

TEST_F(ResultFileTest, ViewsComeBackFirstViewsFirst) {
  for (const std::int64_t pairs : {1, 3, 32}) {
    for (const std::int64_t width : {1, 4}) {
      std::vector<double> expected;
      for (std::int64_t view = 0; view < 2; ++view) {
        for (std::int64_t i = 0; i < pairs; ++i) {
          for (std::int64_t j = 0; j < width; ++j) expected.push_back(static_cast<double>(100 * (2 * i + view) + j));
        }
      }
      for (const auto& sizes : distributions(pairs, 2)) {
        ResultFile out(world(), file(), true);
        out.write_views({"/views", "1", "by view", {}}, deal(sizes, width));
        out.write_stacked_views({"/stacked", "1", "stacked", {}}, deal(sizes, width));
        out.commit();
        on_root(file(), [&](const h5::Handle& in) {
          const auto n = static_cast<hsize_t>(pairs);
          const auto d = static_cast<hsize_t>(width);
          EXPECT_EQ(read<double>(in, "/views", {2, n, d}), expected);
          EXPECT_EQ(read<double>(in, "/stacked", {2 * n, d}), expected);
        });
      }
    }
  }
}

TEST_F(ResultFileTest, EveryDatasetSaysWhatItIs) {
  const std::vector<std::int64_t> numbers{1, 2, 3};
  ResultFile out(world(), file(), false);
  out.write_scale({"/mode", "1", "number of a mode", {}}, "mode", numbers);
  out.write_scale({"/g/time", "s", "training time", {}}, "time", std::vector{0.0, 0.5});
  out.write({"/g/lambda", "1", "eigenvalues λ", {"/g/time", "/mode"}}, {2, 3}, std::vector<double>(6));
  out.write({"/half", "m", "only one scale", {"", "/mode"}}, {2, 3}, std::vector<double>(6));
  const BlockVector rows = deal(distributions(3, 1)[0], 2);
  out.write_samples({"/rows", "kg", "distributed", {"/mode", "/g/time"}}, rows);
  out.commit();
  on_root(file(), [&](const h5::Handle& in) {
    const auto expect = [&](const std::string& path, const std::string& units, const std::string& description,
                            const std::vector<std::vector<std::string>>& scales) {
      const h5::Handle dataset = open_object(in, path);
      EXPECT_EQ(text_attribute(dataset, "units"), units);
      EXPECT_EQ(text_attribute(dataset, "description"), description);
      for (unsigned i = 0; i < scales.size(); ++i) EXPECT_EQ(scales_of(dataset, i), scales[i]) << path << " " << i;
    };
    expect("/mode", "1", "number of a mode", {});
    expect("/g/time", "s", "training time", {});
    expect("/g/lambda", "1", "eigenvalues λ", {{"/g/time"}, {"/mode"}});
    expect("/half", "m", "only one scale", {{}, {"/mode"}});
    expect("/rows", "kg", "distributed", {{"/mode"}, {"/g/time"}});
    EXPECT_GT(H5DSis_scale(open_object(in, "/mode")), 0);
    EXPECT_EQ(H5DSis_scale(open_object(in, "/half")), 0);
    std::string name(20, '\0');
    name.resize(static_cast<std::size_t>(H5DSget_scale_name(open_object(in, "/g/time"), name.data(), name.size())));
    EXPECT_EQ(name, "time");
    EXPECT_EQ(read<std::int64_t>(in, "/mode", {3}), numbers);
  });
}

TEST_F(ResultFileTest, AttributesOfFileGroupAndDataset) {
  const std::string text = "Gamma Γ, a \"quoted\" word\nand a second line";
  ResultFile out(world(), file(), false);
  out.write({"/g/number", "1", "a number", {}}, {}, std::vector{1.0});
  out.attributes("/", {{"text", text}, {"empty", ""}, {"count", INT64_MAX}, {"size", 0.1}});
  out.attributes("/g", {{"seconds: kernel matrix", 2.5}});
  out.attributes("/g/number", {{"note", "n"}});
  out.attributes("/", {});
  out.commit();
  on_root(file(), [&](const h5::Handle& in) {
    EXPECT_EQ(text_attribute(in, "text"), text);
    EXPECT_EQ(text_attribute(in, "empty"), "");
    EXPECT_EQ(number_attribute<std::int64_t>(in, "count"), INT64_MAX);
    EXPECT_EQ(number_attribute<double>(in, "size"), 0.1);
    EXPECT_EQ(number_attribute<double>(open_object(in, "/g"), "seconds: kernel matrix"), 2.5);
    EXPECT_EQ(text_attribute(open_object(in, "/g/number"), "note"), "n");
  });
}

TEST_F(ResultFileTest, MistakesAreErrorsThatNameTheObject) {
  const auto with_file = [&](const std::function<void(ResultFile&)>& work) {
    return [this, work] {
      ResultFile out(world(), file(), false);
      out.write({"/number", "1", "a number", {}}, {}, std::vector{1.0});
      work(out);
      out.commit();
    };
  };
  const std::vector<double> two{1, 2};
  expect_refusal(ExitCode::io, {"/number"}, with_file([](auto& out) {
                   out.write({"/number", "1", "again", {}}, {}, std::vector{2.0});
                 }));
  expect_refusal(ExitCode::io, {"/absent"}, with_file([&](auto& out) {
                   out.write({"/x", "1", "without its scale", {"/absent"}}, {2}, two);
                 }));
  expect_refusal(ExitCode::io, {"/absent"}, with_file([](auto& out) { out.attributes("/absent", {{"a", 1.0}}); }));
  expect_refusal(ExitCode::io, {"twice"}, with_file([](auto& out) {
                   out.attributes("/", {{"twice", 1.0}, {"twice", 2.0}});
                 }));
  expect_refusal(ExitCode::internal, {"/x"}, with_file([&](auto& out) { out.write({"/x", "1", "", {}}, {3}, two); }));
  expect_content({});
}

/// What one rank does differently must end in an error on all of them, never in a wait for ever.
TEST_F(ResultFileTest, RanksThatDisagreeGetAnError) {
  if (world().size() == 1) GTEST_SKIP() << "needs two ranks";
  const bool odd = world().rank() == world().size() - 1;
  const std::vector<double> six(6);
  const auto sizes = distributions(8, 2)[0];
  const std::vector<std::function<void(ResultFile&)>> disagreements{
      [&](auto& out) {
        out.write({odd ? "/x" : "/y", "1", "path", {}}, {6}, six);
      },
      [&](auto& out) {
        out.write({"/x", "1", "shape", {}}, odd ? std::vector<hsize_t>{2, 3} : std::vector<hsize_t>{6}, six);
      },
      [&](auto& out) {
        out.write({"/x", "1", odd ? "other" : "description", {}}, {6}, six);
      },
      [&](auto& out) {
        out.write({"/x", odd ? "m" : "1", "units", {}}, {6}, six);
      },
      [&](auto& out) {
        out.write({"/x", "1", "scale", {odd ? "" : "/six"}}, {6}, six);
      },
      [&](auto& out) {
        out.write({"/x", "1", "length", {}}, {6}, std::vector<double>(odd ? 5 : 6));
      },
      [&](auto& out) {
        out.write_scale({"/x", "1", "length", {}}, "x", std::vector<double>(odd ? 5 : 6));
      },
      [&](auto& out) {
        out.write_scale({"/x", "1", "name", {}}, odd ? "x" : "y", six);
      },
      [&](auto& out) {
        out.attributes(odd ? "/" : "/six", {{"a", 1.0}});
      },
      [&](auto& out) {
        out.attributes("/", {{odd ? "a" : "b", 1.0}});
      },
      [&](auto& out) {
        out.attributes("/", odd ? Attributes{{"a", "1"}} : Attributes{{"a", 1.0}});
      },
      [&](auto& out) {
        out.attributes("/", odd ? Attributes{} : Attributes{{"a", 1.0}});
      },
  };
  for (std::size_t i = 0; i < disagreements.size(); ++i) {
    SCOPED_TRACE(i);
    expect_refusal(ExitCode::internal, {}, [&] {
      ResultFile out(world(), file(), false);
      out.write_scale({"/six", "1", "a scale", {}}, "six", six);
      disagreements[i](out);
      out.commit();
    });
    expect_content({});
  }
}

TEST_F(ResultFileTest, RowsThatDoNotFitTogetherAreAnError) {
  const bool last = world().rank() == world().size() - 1;
  const auto sizes = distributions(8, 2)[0];
  const std::vector<std::function<void(BlockVector&)>> mistakes{
      [&](BlockVector& v) { v.samples += last ? 2 : 0; },
      [&](BlockVector& v) { v.samples += 2; },
      [&](BlockVector& v) { v.width += last ? 1 : 0; },
      [&](BlockVector& v) { v.data.resize(v.data.size() - (last ? 1 : 0)); },
      [&](BlockVector& v) {  // beyond the end
        if (last) v.range = {v.range.begin + 2, v.range.end + 2};
      },
      [&](BlockVector& v) {  // a row that nobody has
        if (!last) return;
        v.range.begin += 1;
        v.data.resize(static_cast<std::size_t>(v.width * v.range.size()));
      },
  };
  using Write = void (*)(ResultFile&, const DatasetInfo&, const BlockVector&);
  const std::array<Write, 3> writers{
      [](ResultFile& out, const DatasetInfo& info, const BlockVector& v) { out.write_samples(info, v); },
      [](ResultFile& out, const DatasetInfo& info, const BlockVector& v) { out.write_views(info, v); },
      [](ResultFile& out, const DatasetInfo& info, const BlockVector& v) { out.write_stacked_views(info, v); }};
  for (const Write write : writers) {
    for (std::size_t i = 0; i < mistakes.size(); ++i) {
      SCOPED_TRACE(i);
      BlockVector rows = deal(sizes, 3);
      mistakes[i](rows);
      expect_refusal(ExitCode::internal, {"/rows"}, [&] {
        ResultFile out(world(), file(), false);
        write(out, {"/rows", "1", "rows", {}}, rows);
        out.commit();
      });
      expect_content({});
    }
  }
}

/// Rank 0's path and force count: they may come from its command line alone.
TEST_F(ResultFileTest, RankZeroNamesTheFile) {
  const bool root = world().rank() == 0;
  check_output(world(), root ? file() : file("absent/other.h5"), false);
  write_number(root ? file() : file("absent/other.h5"), 1);
  expect_content({"out.h5"});
  write_number(root ? file() : file("other.h5"), 2, root);
  expect_content({"out.h5"});
  expect_refusal(ExitCode::input, {"out.h5: exists"},
                 [&] { write_number(root ? file() : file("other.h5"), 2, !root); });
}

}  // namespace
}  // namespace stepwise
