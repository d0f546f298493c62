#include "stepwise/io/input_file.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "io/scratch.hpp"
#include "stepwise/io/result_file.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

using test::every_grid;
using test::expect_refusal;
using test::make_matrix;
using test::world;
using InputFileTest = test::ResultFileTest;

/// Numbers that a conversion on the way would change: denormal, negative zero, infinite, all digits.
double awkward(std::int64_t i, std::int64_t j) {
  if (i == j) return -0.0;
  if (i == 2 * j) return std::numeric_limits<double>::denorm_min() * static_cast<double>(j + 1);
  if (i == 0) return std::numeric_limits<double>::infinity();
  return static_cast<double>(i + 1) / 3 + std::ldexp(static_cast<double>(j), -30);
}

void expect_same_bits(const DistMatrix& a, const DistMatrix& b) {
  const auto x = a.local();
  const auto y = b.local();
  ASSERT_EQ(x.rows, y.rows);
  ASSERT_EQ(x.cols, y.cols);
  for (std::int64_t j = 0; j < x.cols; ++j) {
    EXPECT_EQ(std::memcmp(x.column(j), y.column(j), static_cast<std::size_t>(8 * x.rows)), 0) << "column " << j;
  }
}

TEST_F(InputFileTest, MatricesComeBackOnAnyGridAndInAnyBlocks) {
  const std::vector<std::array<std::int64_t, 3>> shapes{{1, 1, 4}, {7, 5, 2}, {24, 24, 4}, {25, 23, 3}, {13, 40, 64}};
  for (const auto& writer : every_grid()) {
    for (const auto& [rows, cols, block] : shapes) {
      ResultFile out(world(), file(), true);
      out.write_matrix({"/a/matrix", "1", "a matrix", {}}, make_matrix(writer, rows, cols, block, awkward));
      out.commit();
      InputFile in(world(), file());
      EXPECT_EQ(in.extents("/a/matrix"), (std::vector{rows, cols}));
      for (const auto& reader : every_grid()) {
        for (const std::int64_t other_block : {1, 3, 4}) {
          DistMatrix matrix(reader, rows, cols, other_block);
          in.read_matrix("/a/matrix", matrix);
          expect_same_bits(matrix, make_matrix(reader, rows, cols, other_block, awkward));
        }
      }
    }
  }
}

/// Several panels, of one row of blocks each.
TEST_F(InputFileTest, WideMatricesTravelInPanels) {
  const std::int64_t rows = 70;
  const std::int64_t cols = 140'000;
  const auto grid = ProcessGrid::create(world(), {world().size(), 1});
  const auto entry = [](std::int64_t i, std::int64_t j) { return static_cast<double>(i * 1'000'000 + j); };
  ASSERT_LT(panel_rows({rows, 64, world().size()}, {cols, 64, 1}, std::int64_t{1} << 23), rows);
  const DistMatrix matrix = make_matrix(grid, rows, cols, 64, entry);
  ResultFile out(world(), file(), false);
  out.write_matrix({"/matrix", "1", "a matrix", {}}, matrix);
  EXPECT_GT(out.commit(), 8 * rows * cols);
  InputFile in(world(), file());
  DistMatrix copy(grid, rows, cols, 64);
  in.read_matrix("/matrix", copy);
  EXPECT_EQ(in.bytes(), 8 * rows * cols);
  expect_same_bits(copy, matrix);
}

TEST_F(InputFileTest, ViewsAreStackedInTheFile) {
  const std::int64_t n = 7;
  for (const std::int64_t views : {2, 3}) {
    for (const auto& grid : every_grid()) {
      const std::int64_t samples = views * n;
      const DistMatrix matrix = make_matrix(grid, samples, samples, 2 * views, awkward);
      ResultFile out(world(), file(), true);
      out.write_matrix({"/both", "1", "both", {}}, matrix, {views, views});
      out.write_matrix({"/rows", "1", "rows", {}}, matrix, {views, 1});
      out.commit();
      const auto paired = [&](std::int64_t i) { return i % n * views + i / n; };
      InputFile in(world(), file());
      DistMatrix plain(grid, samples, samples, 5);
      in.read_matrix("/both", plain);
      expect_same_bits(plain, make_matrix(grid, samples, samples, 5, [&](std::int64_t i, std::int64_t j) {
                         return awkward(paired(i), paired(j));
                       }));
      in.read_matrix("/rows", plain);
      expect_same_bits(plain, make_matrix(grid, samples, samples, 5,
                                          [&](std::int64_t i, std::int64_t j) { return awkward(paired(i), j); }));
      DistMatrix back(grid, samples, samples, views);
      in.read_matrix("/both", back, {views, views});
      expect_same_bits(back, make_matrix(grid, samples, samples, views, awkward));
    }
  }
}

/// Rows first .. first + count of numbers 100 i + j, one in each column of a wider array whose other entries are -1.
struct Strided {
  Strided(Range rows, std::int64_t width, std::int64_t stride, bool filled)
      : data(static_cast<std::size_t>(stride * rows.size()), -1), view{data.data(), width, rows.size(), stride} {
    for (std::int64_t s = 0; filled && s < view.cols; ++s) {
      for (std::int64_t j = 0; j < width; ++j) view(j, s) = static_cast<double>(100 * (rows.begin + s) + j);
    }
  }
  std::vector<double> data;
  MatrixView<double> view;
};

TEST_F(InputFileTest, RowsComeBackIntoStridedViewsHoweverTheyWereDealtOut) {
  const std::int64_t ranks = world().size();
  for (const std::int64_t samples : {1, 3, 10, 64}) {
    for (const std::int64_t width : {1, 5}) {
      for (const std::int64_t stride : {width, width + 3}) {
        const Range own = even_share(samples, ranks, ranks - 1 - world().rank());
        const Strided source(own, width, stride, true);
        ResultFile out(world(), file(), true);
        out.write_rows({"/rows", "1", "rows", {}}, samples, own, source.view);
        out.commit();
        InputFile in(world(), file());
        for (const Range wanted : {even_share(samples, ranks, world().rank()), Range{0, samples},
                                   world().rank() == 0 ? Range{0, samples} : Range{}}) {
          Strided target(wanted, width, stride, false);
          in.read_rows("/rows", wanted, target.view);
          EXPECT_EQ(target.data, Strided(wanted, width, stride, true).data);
        }
      }
    }
  }
}

TEST_F(InputFileTest, ViewsComeBackPairByPair) {
  for (const std::int64_t views : {1, 2, 3}) {
    for (const std::int64_t pairs : {1, 7}) {  // also fewer than ranks
      BlockVector values = make_block_vector(world(), views * pairs, 4, views);
      for (std::int64_t s = 0; s < values.range.size(); ++s) {
        for (std::int64_t j = 0; j < 4; ++j) values.local()(j, s) = awkward(values.range.begin + s, j);
      }
      ResultFile out(world(), file(), true);
      out.write_views({"/views", "1", "samples", {}}, values, views);
      out.commit();
      const BlockVector back = InputFile(world(), file()).read_views("/views");
      EXPECT_EQ(back.samples, views * pairs);
      EXPECT_EQ(back.range, values.range);
      EXPECT_EQ(back.data, values.data);
    }
  }
}

TEST_F(InputFileTest, ReplicatedNumbersAndAttributesComeBack) {
  const std::vector<double> reals{0.1, -1e300, 5e-324, -0.0};
  const std::vector<std::int64_t> integers{0, -1, INT64_MAX, INT64_MIN};
  const Attributes values{{"count", INT64_MAX}, {"size", 0.1}, {"text", std::string(world().rank() == 0 ? "λ" : "")}};
  ResultFile out(world(), file(), false);
  out.write_scale({"/i", "1", "number", {}}, "i", integers);
  out.write({"/g/reals", "m", "real numbers", {"/i"}}, {4}, reals);
  out.write({"/g/nothing", "1", "no numbers", {}}, {0}, std::vector<double>{});
  out.attributes("/", values);
  out.commit();
  InputFile in(world(), file());
  EXPECT_EQ(in.numbers("/g/reals"), reals);
  EXPECT_EQ(in.integers("/i"), integers);
  EXPECT_TRUE(in.numbers("/g/nothing").empty());
  EXPECT_EQ(in.attributes("/"), (Attributes{{"count", INT64_MAX}, {"size", 0.1}, {"text", std::string("λ")}}));
  EXPECT_EQ(in.attributes("/g/reals"), (Attributes{{"checksum", std::string("973e2a8d013c8c0f")},
                                                   {"description", std::string("real numbers")},
                                                   {"units", std::string("m")}}));
  EXPECT_TRUE(in.attributes("/g").empty());
  EXPECT_TRUE(in.contains("/g") && in.contains("/g/reals") && in.contains("/i"));
  EXPECT_FALSE(in.contains("/h") || in.contains("/h/reals") || in.contains("/g/real"));
}

TEST_F(InputFileTest, WhatIsMissingOrDifferentIsNamed) {
  expect_refusal(ExitCode::input, {file("absent.h5"), "cannot be opened"},
                 [&] { const InputFile in(world(), file("absent.h5")); });
  attempt_on_root(world(), [&] { std::ofstream(file("text.h5")) << "text"; });
  expect_refusal(ExitCode::input, {file("text.h5"), "not an HDF5 file"},
                 [&] { const InputFile in(world(), file("text.h5")); });
  const auto grid = every_grid().front();
  ResultFile out(world(), file(), false);
  out.write_matrix({"/matrix", "1", "a matrix", {}}, make_matrix(grid, 6, 5, 2, awkward));
  out.write({"/integers", "1", "whole numbers", {}}, {2}, std::vector<std::int64_t>{1, 2});
  out.commit();
  InputFile in(world(), file());
  DistMatrix other(grid, 6, 6, 2);
  expect_refusal(ExitCode::input, {file(), "/matrix", "(6, 5)", "(6, 6)"}, [&] { in.read_matrix("/matrix", other); });
  expect_refusal(ExitCode::input, {file(), "no dataset /other"}, [&] { in.read_matrix("/other", other); });
  expect_refusal(ExitCode::input, {file(), "/matrix", "whole"}, [&] { (void)in.integers("/matrix"); });
  expect_refusal(ExitCode::input, {file(), "/integers", "real"}, [&] { (void)in.numbers("/integers"); });
  expect_refusal(ExitCode::input, {file(), "/absent"}, [&] { (void)in.attributes("/absent"); });
  Strided rows({5, 7}, 5, 5, false);
  expect_refusal(ExitCode::input, {file(), "/matrix", "6 rows", "7"}, [&] {
    in.read_rows("/matrix", {5, 7}, rows.view);
  });
  Strided narrow_rows({0, 2}, 4, 5, false);
  expect_refusal(ExitCode::input, {file(), "/matrix", "(6, 5)", "(any, 4)"}, [&] {
    in.read_rows("/matrix", {0, 2}, narrow_rows.view);
  });
  // The file is still usable.
  Strided good({1, 3}, 5, 6, false);
  in.read_rows("/matrix", {1, 3}, good.view);
  EXPECT_EQ(good.view(3, 1), awkward(2, 3));
}

TEST_F(InputFileTest, AFileCutShortIsRefused) {
  ResultFile out(world(), file(), false);
  out.write_matrix({"/matrix", "1", "a matrix", {}}, make_matrix(every_grid().front(), 100, 100, 8, awkward));
  out.commit();
  attempt_on_root(world(), [&] { std::filesystem::resize_file(file(), 40'000); });
  expect_refusal(ExitCode::input, {file(), "truncated"}, [&] { const InputFile in(world(), file()); });
}

TEST_F(InputFileTest, MistakesOfTheCallerAreErrorsOnAllRanks) {
  const auto grid = every_grid().front();
  const DistMatrix matrix = make_matrix(grid, 6, 6, 3, awkward);
  expect_refusal(ExitCode::internal, {"/matrix", "whole samples"}, [&] {
    ResultFile out(world(), file(), false);
    out.write_matrix({"/matrix", "1", "a matrix", {}}, matrix, {2, 2});
  });
  const Strided rows({0, 2}, 3, 3, true);
  expect_refusal(ExitCode::internal, {"/rows"}, [&] {
    ResultFile out(world(), file(), false);
    out.write_rows({"/rows", "1", "rows", {}}, 3, {0, 2}, rows.view);
  });
  expect_content({});
}

}  // namespace
}  // namespace stepwise
