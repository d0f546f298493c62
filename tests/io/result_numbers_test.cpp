#include "stepwise/io/result_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>
#include <stdexcept>

#include "io/look.hpp"
#include "io/scratch.hpp"
#include "stepwise/dist/agree.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

using test::deal;
using test::distributions;
using test::expect_refusal;
using test::members;
using test::number_attribute;
using test::on_root;
using test::read;
using test::ResultFileTest;
using test::text_attribute;
using test::world;

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

}  // namespace
}  // namespace stepwise
