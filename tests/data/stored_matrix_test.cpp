#include "stepwise/data/stored_matrix.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <vector>

#include "data/expect_error.hpp"
#include "stepwise/data/matrix_scan.hpp"
#include "stepwise/data/npy.hpp"
#include "stepwise/data/pairs.hpp"
#include "stepwise/data/tile_name.hpp"
#include "stepwise/h5/handle.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

double entry(std::int64_t i, std::int64_t j) {
  return 100.0 * static_cast<double>(std::min(i, j)) + static_cast<double>(std::max(i, j)) + 0.25;
}

/// A directory of its own, gone at the end.
class StoredMatrixTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(STEPWISE_TEST_SCRATCH) /
              (std::string("stored-") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }

  /// Rows and columns of the symmetric matrix with the entries of entry().
  void write(const std::string& name, Range rows, Range cols, bool single = false) const {
    std::vector<double> values(static_cast<std::size_t>(rows.size() * cols.size()));
    const MatrixView<double> matrix{values.data(), rows.size(), cols.size(), rows.size()};
    for (std::int64_t j = 0; j < matrix.cols; ++j) {
      for (std::int64_t i = 0; i < matrix.rows; ++i) matrix(i, j) = entry(rows.begin + i, cols.begin + j);
    }
    write_npy(path(name), matrix, single);
  }

  void write_tiles(std::int64_t order, std::int64_t tile) const {
    for (std::int64_t i = 0; i * tile < order; ++i) {
      for (std::int64_t j = i; j * tile < order; ++j) {
        write(tile_file_name("tile", i, j), {i * tile, std::min((i + 1) * tile, order)},
              {j * tile, std::min((j + 1) * tile, order)});
      }
    }
  }

  fs::path folder_;
};

/// Every part of the matrix is what it should be.
void expect_parts(const StoredMatrix& matrix) {
  for (const std::int64_t begin : {0L, 1L, 3L, 5L}) {
    for (const std::int64_t size : {0L, 1L, 2L, 4L}) {
      for (const std::int64_t col : {0L, 2L, 4L}) {
        const Range rows{begin, std::min(begin + size, matrix.rows)};
        const Range cols{col, matrix.cols};
        std::vector<double> values(static_cast<std::size_t>((rows.size() + 1) * cols.size()), -1);
        const MatrixView<double> out{values.data(), rows.size(), cols.size(), rows.size() + 1};
        matrix.read(rows, cols, out);
        for (std::int64_t j = 0; j < out.cols; ++j) {
          for (std::int64_t i = 0; i < out.rows; ++i) {
            ASSERT_EQ(out(i, j), entry(rows.begin + i, cols.begin + j)) << begin << ' ' << size << ' ' << col;
          }
          ASSERT_EQ(out.column(j)[out.rows], -1) << "beyond the part";
        }
      }
    }
  }
}

NpyHeader parse(const std::string& dictionary, int version = 1) {
  std::string text = std::string("\x93NUMPY") + static_cast<char>(version) + '\0';
  std::size_t length = dictionary.size();
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i, length >>= 8) text += static_cast<char>(length & 0xFF);
  return parse_npy_header(text + dictionary, "k.npy");
}

TEST(Npy, HeaderOfEveryVersion) {
  for (const int version : {1, 2, 3}) {
    const NpyHeader header = parse("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 14), }  \n", version);
    EXPECT_EQ(header.type, "<f4");
    EXPECT_TRUE(header.fortran_order);
    EXPECT_EQ(header.shape, (std::vector<std::int64_t>{3, 14}));
    EXPECT_EQ(header.offset, (version == 1 ? 10 : 12) + 62);
  }
}

TEST(Npy, OtherShapesAndSpellings) {
  EXPECT_TRUE(parse("{'descr': '<f8', 'fortran_order': False, 'shape': (), }").shape.empty());
  EXPECT_EQ(parse("{'descr': '<f8', 'fortran_order': False, 'shape': (7,), }").shape, std::vector<std::int64_t>{7});
  EXPECT_EQ(parse("{\"shape\":(2,5),\"fortran_order\":False,\"descr\":\"<f8\"}").type, "<f8");
  EXPECT_EQ(parse("{'descr': [('x', '<f8')], 'fortran_order': False, 'shape': (4, 4), }").type, "structured");
}

TEST(Npy, RefusesWhatIsNone) {
  expect_error(ExitCode::input, {"k.npy", "not a .npy"}, [] { (void)parse_npy_header("PK\x03\x04", "k.npy"); });
  expect_error(ExitCode::input, {"k.npy", "format 9"}, [] { (void)parse("{}", 9); });
  expect_error(ExitCode::input, {"k.npy", "descr"}, [] { (void)parse("{'shape': (1, 1)}"); });
  expect_error(ExitCode::input, {"k.npy", "shape"},
               [] { (void)parse("{'descr': '<f8', 'fortran_order': False, 'shape': (4, x)}"); });
  expect_error(ExitCode::input, {"k.npy", "shape"},
               [] { (void)parse("{'descr': '<f8', 'fortran_order': False, 'shape': (4, -2)}"); });
  const std::string whole = npy_header(3, 4, false);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    expect_error(ExitCode::input, {"k.npy"}, [&] { (void)parse_npy_header(whole.substr(0, length), "k.npy"); });
  }
}

TEST(Npy, OwnHeader) {
  for (const bool single : {false, true}) {
    const std::string text = npy_header(123456789, 7, single);
    EXPECT_EQ(text.size() % 64, 0U);
    const NpyHeader header = parse_npy_header(text, "k.npy");
    EXPECT_EQ(header.type, single ? "<f4" : "<f8");
    EXPECT_FALSE(header.fortran_order);
    EXPECT_EQ(header.shape, (std::vector<std::int64_t>{123456789, 7}));
    EXPECT_EQ(header.offset, std::ssize(text));
  }
}

TEST(TileName, Inverse) {
  EXPECT_EQ(tile_file_name("tile", 3, 17), "tile-3-17.npy");
  EXPECT_EQ(tile_place("tile", "tile-3-17.npy"), (std::pair<std::int64_t, std::int64_t>{3, 17}));
  for (const char* other : {"test-3-17.npy", "tile-3.npy", "tile-3-17.npz", "tile-03-17.npy", "tile--3-17.npy",
                            "tile-3-17.npy~", ".tile-3-17.npy.partial.9", "tile-3-99999999999999999999.npy"}) {
    EXPECT_FALSE(tile_place("tile", other)) << other;
  }
}

TEST_F(StoredMatrixTest, Npy) {
  for (const bool single : {false, true}) {
    write("k.npy", {0, 8}, {0, 8}, single);
    const StoredMatrix matrix = open_kernel_matrix(path("k.npy"));
    EXPECT_EQ(matrix.rows, 8);
    EXPECT_EQ(matrix.single, single);
    EXPECT_FALSE(matrix.upper);
    expect_parts(matrix);
  }
  EXPECT_FALSE(open_test_kernel(path("k.npy"), "", 8));
  write("t.npy", {0, 3}, {0, 8});
  const auto test = open_test_kernel(path("k.npy"), path("t.npy"), 8);
  ASSERT_TRUE(test);
  EXPECT_EQ(test->rows, 3);
  expect_error(ExitCode::input, {"t.npy", "3 x 8", "6 columns"},
               [&] { (void)open_test_kernel(path("k.npy"), path("t.npy"), 6); });
}

TEST_F(StoredMatrixTest, NpyOfAnotherLength) {
  write("k.npy", {0, 8}, {0, 8});
  std::ofstream(path("k.npy"), std::ios::app) << "x";
  expect_error(ExitCode::input, {"k.npy", "bytes"}, [&] { (void)open_kernel_matrix(path("k.npy")); });
}

TEST_F(StoredMatrixTest, NpyCutOffWhileOpen) {
  write("k.npy", {0, 8}, {0, 8});
  const StoredMatrix matrix = open_kernel_matrix(path("k.npy"));
  fs::resize_file(path("k.npy"), 200);
  std::vector<double> values(64);
  expect_error(ExitCode::io, {"k.npy", "ends at byte 200"}, [&] {
    matrix.read({0, 8}, {0, 8}, {values.data(), 8, 8, 8});
  });
}

TEST_F(StoredMatrixTest, Tiles) {
  for (const std::int64_t tile : {1, 2, 3, 4, 5, 8, 20}) {
    for (const auto& file : fs::directory_iterator(folder_)) fs::remove(file);
    write_tiles(8, tile);
    std::ofstream(path(".tile-0-0.npy.partial.17")) << "left over";
    const StoredMatrix matrix = open_kernel_matrix(folder_.string());
    EXPECT_EQ(matrix.rows, 8);
    EXPECT_TRUE(matrix.upper);
    expect_parts(matrix);
    EXPECT_FALSE(open_test_kernel(folder_.string(), "", 8));
  }
}

TEST_F(StoredMatrixTest, TestTiles) {
  for (const std::int64_t i : {0, 1}) {
    for (const std::int64_t j : {0, 1, 2}) {
      write(tile_file_name("test", i, j), {3 * i, std::min<std::int64_t>(3 * i + 3, 5)},
            {3 * j, std::min<std::int64_t>(3 * j + 3, 8)});
    }
  }
  const auto test = open_test_kernel(folder_.string(), "", 8);
  ASSERT_TRUE(test);
  EXPECT_EQ(test->rows, 5);
  EXPECT_EQ(test->cols, 8);
  expect_parts(*test);
  fs::remove(path("test-1-1.npy"));
  expect_error(ExitCode::input, {"test-1-1.npy", "missing"}, [&] { (void)open_test_kernel(folder_.string(), "", 8); });
}

TEST_F(StoredMatrixTest, TilesThatAreMissingOrDoNotFit) {
  write_tiles(8, 3);
  for (const char* name :
       {"tile-0-0.npy", "tile-0-1.npy", "tile-0-2.npy", "tile-1-1.npy", "tile-1-2.npy", "tile-2-2.npy"}) {
    fs::rename(path(name), path("away"));
    expect_error(ExitCode::input, {name, "missing"}, [&] { (void)open_kernel_matrix(folder_.string()); });
    fs::rename(path("away"), path(name));
  }
  write("tile-1-2.npy", {0, 3}, {0, 3});
  expect_error(ExitCode::input, {"tile-1-2.npy", "3 x 3", "3 x 2"},
               [&] { (void)open_kernel_matrix(folder_.string()); });
}

TEST_F(StoredMatrixTest, WritingFailsWithoutTraces) {
  fs::create_directory(path("k.npy"));
  expect_error(ExitCode::io, {"k.npy", "directory"}, [&] { write("k.npy", {0, 2}, {0, 2}); });
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

StoredMatrix in_memory(std::vector<double>& values, std::int64_t order) {
  return {"memory", order, order, false, false, [&values, order](Range rows, Range cols, MatrixView<double> out) {
            for (std::int64_t j = 0; j < cols.size(); ++j) {
              for (std::int64_t i = 0; i < rows.size(); ++i) {
                out(i, j) = values[static_cast<std::size_t>((rows.begin + i) * order + cols.begin + j)];
              }
            }
          }};
}

TEST(MatrixScan, FindsTheWorstEntryInSomePart) {
  constexpr std::int64_t order = 1100;  // three blocks a side
  std::vector<double> values(order * order);
  for (std::int64_t i = 0; i < order; ++i) {
    for (std::int64_t j = 0; j < order; ++j) values[static_cast<std::size_t>(i * order + j)] = entry(i, j);
  }
  values[20 * order + 1050] = -5e5;
  const StoredMatrix matrix = in_memory(values, order);
  for (const std::int64_t parts : {1, 2, 7}) {
    double trace = 0;
    MatrixScan worst;
    double largest = 0;
    for (std::int64_t part = 0; part < parts; ++part) {
      const MatrixScan scan = scan_kernel(matrix, {{0, order}}, part, parts);
      trace += scan.trace;
      largest = std::max(largest, scan.largest);
      if (scan.asymmetry > worst.asymmetry) worst = scan;
    }
    EXPECT_EQ(worst.row, 20);
    EXPECT_EQ(worst.col, 1050);
    EXPECT_EQ(worst.above, -5e5);
    EXPECT_EQ(worst.below, entry(20, 1050));
    EXPECT_EQ(largest, 5e5);
    EXPECT_NEAR(trace, 101.0 * order * (order - 1) / 2 + 0.25 * order, 1e-6);
  }
  // Rows and columns that are not used do not count.
  EXPECT_EQ(scan_kernel(matrix, {{0, 1000}}, 0, 1).asymmetry, 0);
  EXPECT_EQ(scan_kernel(matrix, {{0, 20}, {1000, 1100}}, 0, 1).asymmetry, 0);
  EXPECT_GT(scan_kernel(matrix, {{0, 21}, {1000, 1100}}, 0, 1).asymmetry, 5e5);
  values[3 * order + 4] = std::numeric_limits<double>::quiet_NaN();
  expect_error(ExitCode::input, {"memory", "nan", "row 3, column 4"}, [&] {
    (void)scan_kernel(matrix, {{0, order}}, 0, 1);
  });
}

TEST_F(StoredMatrixTest, RowsOfSamplesInTwoOrThreeDimensions) {
  std::vector<double> numbers(2 * 5 * 3);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i);
  {
    const h5::Handle file(H5Fcreate(path("a.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose, "a.h5");
    const auto write = [&](const char* name, const std::vector<hsize_t>& shape, bool chunked) {
      const h5::Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose, name);
      const h5::Handle how(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, name);
      const std::vector<hsize_t> chunk(shape.size(), 2);
      if (chunked) h5::check(H5Pset_chunk(how, static_cast<int>(chunk.size()), chunk.data()), name);
      const h5::Handle set(H5Dcreate2(file, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, how, H5P_DEFAULT), H5Dclose,
                           name);
      h5::check(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers.data()), name);
    };
    write("flat", {10, 3}, false);
    write("stacked", {2, 5, 3}, false);
    write("chunked", {2, 5, 3}, true);
    write("deep", {2, 5, 3, 1}, false);
  }
  for (const char* name : {"flat", "stacked", "chunked"}) {
    const SampleRows rows = open_sample_rows(path("a.h5"), {"/absent", std::string("/") + name});
    EXPECT_EQ(rows.views, name == std::string("flat") ? 0 : 2);
    EXPECT_EQ(rows.matrix.rows, 10);
    EXPECT_EQ(rows.matrix.cols, 3);
    std::vector<double> part(6 * 2);  // rows 3 .. 8, the last two columns
    rows.matrix.read({3, 9}, {1, 3}, {part.data(), 6, 2, 6});
    for (std::size_t i = 0; i < 6; ++i) {
      for (std::size_t j = 0; j < 2; ++j) EXPECT_EQ(part[i + 6 * j], static_cast<double>((3 + i) * 3 + 1 + j)) << name;
    }
  }
  expect_error(ExitCode::input, {"a.h5", "/absent", "name one"},
               [&] { (void)open_sample_rows(path("a.h5"), {"/absent"}); });
  expect_error(ExitCode::input, {"a.h5", "deep", "(views, n, width)"},
               [&] { (void)open_sample_rows(path("a.h5") + ":/deep", {}); });
  write("b.npy", {0, 4}, {0, 2}, true);
  EXPECT_TRUE(open_sample_rows(path("b.npy"), {}).matrix.single);
  expect_error(ExitCode::input, {"is a directory"}, [&] { (void)open_sample_rows(folder_.string(), {}); });
}

TEST(IndexPairs, Rows) {
  IndexPairs pairs;
  pairs.train = std::make_shared<const StoredMatrix>(StoredMatrix{"k", 12, 12, false, false, {}});
  pairs.pairs = 4;
  pairs.tests = 3;
  const auto rows = [&] {
    std::vector<double> out(8);
    read_samples(pairs, std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7}, {out.data(), 1, 8, 1});
    return out;
  };
  EXPECT_EQ(rows(), (std::vector<double>{0, 6, 1, 7, 2, 8, 3, 9}));
  pairs.interleaved = true;
  EXPECT_EQ(rows(), (std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7}));
  std::vector<double> tests(2);
  read_tests(pairs, {1, 3}, {tests.data(), 1, 2, 1});
  EXPECT_EQ(tests, (std::vector<double>{13, 14}));
}

}  // namespace
}  // namespace stepwise
