#include "stepwise/io/file_layout.hpp"

#include <gtest/gtest.h>

#include <array>

#include "io/scratch.hpp"
#include "stepwise/io/input_file.hpp"
#include "stepwise/io/result_file.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

using test::every_grid;
using test::make_matrix;
using test::normal_entry;
using test::world;
using FileLayoutTest = test::ResultFileTest;

h5::Handle open_dataset(const h5::Handle& in, const std::string& path) {
  return {H5Dopen2(in, path.c_str(), H5P_DEFAULT), H5Dclose, "opening " + path};
}

/// Filters of a dataset in the order in which they work.
std::vector<H5Z_filter_t> filters(const h5::Handle& dataset) {
  const h5::Handle properties(H5Dget_create_plist(dataset), H5Pclose, "asking for the storage");
  std::vector<H5Z_filter_t> found;
  for (int i = 0; i < H5Pget_nfilters(properties); ++i) {
    std::array<unsigned, 1> values{};
    std::size_t count = values.size();
    unsigned flags = 0;
    found.push_back(
        H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &count, values.data(), 0, nullptr, nullptr));
  }
  return found;
}

TEST(Hints, AreKeysAndValues) {
  using Hints = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(parse_hints(""), Hints{});
  EXPECT_EQ(parse_hints("striping_factor=8"), (Hints{{"striping_factor", "8"}}));
  EXPECT_EQ(parse_hints("a=1,b=x=y"), (Hints{{"a", "1"}, {"b", "x=y"}}));
  for (const std::string text : {"a", "=1", "a=", "a=1,", ",a=1", "a =1", "a=1, b=2", "a=1,a=2"}) {
    EXPECT_THROW((void)parse_hints(text), Error) << text;
  }
  for (const std::string text : {"striping_factor=many", "striping_unit=4M", "cb_nodes=0", "cb_buffer_size=-1",
                                 "romio_cb_write=yes", "romio_ds_read=", "romio_no_indep_rw=1"}) {
    EXPECT_THROW((void)parse_hints(text), Error) << text;
  }
  EXPECT_EQ(parse_hints("romio_ds_write=disable,cb_nodes=4").size(), 2U);
  EXPECT_THROW((void)parse_hints(std::string(MPI_MAX_INFO_KEY, 'k') + "=1"), Error);
  EXPECT_THROW((void)parse_hints("k=" + std::string(MPI_MAX_INFO_VAL, 'v')), Error);
}

TEST(Hints, ReachMpi) {
  const h5::Handle access = file_access(world(), {0, 0, {{"striping_factor", "8"}, {"romio_cb_write", "enable"}}});
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Info info = MPI_INFO_NULL;
  h5::check(H5Pget_fapl_mpio(access, &comm, &info), "asking for the hints");
  std::array<char, MPI_MAX_INFO_VAL + 1> value{};
  int found = 0;
  MPI_Info_get(info, "striping_factor", MPI_MAX_INFO_VAL, value.data(), &found);
  EXPECT_TRUE(found != 0);
  EXPECT_STREQ(value.data(), "8");
  MPI_Info_get(info, "romio_cb_write", MPI_MAX_INFO_VAL, value.data(), &found);
  EXPECT_TRUE(found != 0);
  EXPECT_STREQ(value.data(), "enable");
  MPI_Comm_free(&comm);
  MPI_Info_free(&info);
}

TEST_F(FileLayoutTest, HintsThatNobodyKnowsDoNoHarm) {
  ResultFile out(world(), file(), false, {0, 0, {{"striping_factor", "2"}, {"unknown_hint", "1"}}});
  out.write({"/number", "1", "a number", {}}, {}, std::vector{1.5});
  out.commit();
  InputFile in(world(), file());
  EXPECT_EQ(in.numbers("/number"), std::vector{1.5});
}

TEST_F(FileLayoutTest, LargeDatasetsAreAligned) {
  constexpr std::int64_t alignment = 65'536;
  ResultFile out(world(), file(), false, {0, alignment, {}});
  const std::vector<double> values(20'000, 1.5);
  for (const char* name : {"/a", "/b"}) out.write({name, "1", "numbers", {}}, {values.size()}, values);
  out.write({"/small", "1", "numbers", {}}, {1}, std::vector{2.5});
  out.commit();
  attempt_on_root(world(), [&] {
    const h5::Handle in = h5::open_for_reading(file());
    for (const char* name : {"/a", "/b"}) EXPECT_EQ(H5Dget_offset(open_dataset(in, name)) % alignment, 0U) << name;
  });
  InputFile in(world(), file());
  EXPECT_EQ(in.numbers("/b"), values);
}

/// Compressed numbers are the numbers; only what is large is compressed.
TEST_F(FileLayoutTest, CompressedDatasetsComeBack) {
  const std::int64_t n = 450;  // no multiple of the blocks, and more than 1 MiB
  const std::int64_t width = 400;
  const auto entry = [](std::int64_t i, std::int64_t j) { return i < 200 ? 0.0 : normal_entry(i, j); };
  BlockVector rows = make_block_vector(world(), n, width, 2);
  for (std::int64_t s = 0; s < rows.range.size(); ++s) {
    for (std::int64_t j = 0; j < width; ++j) rows.local()(j, s) = entry(rows.range.begin + s, j);
  }
  for (const auto& grid : every_grid()) {
    const DistMatrix matrix = make_matrix(grid, n, n, 16, entry);
    const auto write = [&](const std::string& path, std::int64_t level) {
      ResultFile out(world(), path, true, {level, 0, {}});
      out.write_matrix({"/matrix", "1", "a matrix", {}}, matrix);
      out.write_matrix({"/stacked", "1", "a matrix", {}}, matrix, {2, 2});
      out.write_samples({"/rows", "1", "rows", {}}, rows);
      out.write_views({"/views", "1", "views", {}}, rows);
      out.write_stacked_views({"/stacked_rows", "1", "views", {}}, rows);
      out.write({"/small", "1", "numbers", {}}, {3}, std::vector{1.0, 2.0, 3.0});
      EXPECT_EQ(out.bytes(), 8 * (2 * n * n + 3 * n * width + 3));
      return out.commit();
    };
    const std::int64_t plain = write(file("plain.h5"), 0);
    EXPECT_LT(write(file("packed.h5"), 4), plain);
    attempt_on_root(world(), [&] {
      const h5::Handle in = h5::open_for_reading(file("packed.h5"));
      const std::vector<H5Z_filter_t> both{H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE};
      for (const char* name : {"/matrix", "/stacked", "/rows", "/views", "/stacked_rows"}) {
        EXPECT_EQ(filters(open_dataset(in, name)), both) << name;
      }
      EXPECT_TRUE(filters(open_dataset(in, "/small")).empty());
    });
    InputFile expected(world(), file("plain.h5"));
    InputFile packed(world(), file("packed.h5"));
    for (const char* name : {"/matrix", "/stacked", "/rows", "/views", "/stacked_rows", "/small"}) {
      EXPECT_EQ(packed.numbers(name), expected.numbers(name)) << name;
    }
    DistMatrix copy(grid, n, n, 16);
    packed.read_matrix("/matrix", copy);
    EXPECT_EQ(test::replicate(copy), test::replicate(matrix));
  }
  EXPECT_NO_THROW(require_parallel_compression());
}

}  // namespace
}  // namespace stepwise
