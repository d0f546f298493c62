#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "data/array_pairs_file.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

class ArrayPairsErrors : public ArrayPairsFile {};

TEST_F(ArrayPairsErrors, SaysHowManyThereAre) {
  const auto fill = [&] {
    count_up("view_a", {5, 2}, 0);
    count_up("view_b", {5, 2}, 0);
  };
  fill();
  expect_input_error({"--data.pairs asks for 6", "has 5", path_, "ask for 5 or fewer, or auto for all"}, 6);
  fill();
  expect_input_error({"--data.pairs is 0"}, 0);
  fill();
  expect_input_error({"--data.pairs is -2"}, -2);
  fill();
  expect_input_error({"--data.test asks for 1", "has 0"}, -1, 1);
  fill();
  expect_input_error({"--data.test is -3"}, -1, -3);
  fill();
  count_up("test", {4, 2}, 0);
  expect_input_error({"--data.test asks for 5", "has 4"}, -1, 5);
}

TEST_F(ArrayPairsErrors, FilesThatAreNoPairs) {
  const std::string missing = path_ + ".missing";
  expect_error(ExitCode::input, {missing, "No such file"}, [&] { (void)open_array_pairs(missing, -1, -1); });
  const std::string directory = fs::path(path_).parent_path().string();
  expect_error(ExitCode::input, {directory, "is a directory"}, [&] { (void)open_array_pairs(directory, -1, -1); });
  const std::string text = path_ + ".txt";
  std::ofstream(text) << "not HDF5";
  expect_error(ExitCode::input, {text, "not an HDF5 file"}, [&] { (void)open_array_pairs(text, -1, -1); });
  count_up("view_a", {1000, 10}, 0);
  count_up("view_b", {1000, 10}, 0);
  file_.close("closing a file");
  fs::resize_file(path_, fs::file_size(path_) / 2);
  expect_error(ExitCode::input, {path_, "truncated"}, [&] { (void)open_array_pairs(path_, -1, -1); });
}

TEST_F(ArrayPairsErrors, MissingViews) {
  expect_input_error({path_, "no dataset view_a"});
  count_up("view_a", {3, 2}, 0);
  expect_input_error({path_, "no dataset view_b"});
}

TEST_F(ArrayPairsErrors, ViewsThatDoNotMatch) {
  count_up("view_a", {3, 2}, 0);
  count_up("view_b", {4, 2}, 0);
  expect_input_error({path_, "view_a", "(3, 2)", "view_b", "(4, 2)"});
  count_up("view_a", {3, 2, 4}, 0);
  count_up("view_b", {3, 8}, 0);
  expect_input_error({path_, "(3, 2, 4)", "(3, 8)"});
  count_up("view_a", {3, 2}, 0);
  count_up("view_b", {3, 2}, 0);
  count_up("test", {6}, 0);
  expect_input_error({path_, "test has shape (6,)", "(3, 2)"});
}

TEST_F(ArrayPairsErrors, NoSamplesOrEmptyOnes) {
  write("view_a", {0, 2}, {});
  write("view_b", {0, 2}, {});
  expect_input_error({path_, "(0, 2)", "no samples"});
  write("view_a", {2, 0}, {});
  write("view_b", {2, 0}, {});
  expect_input_error({path_, "(2, 0)", "empty samples"});
}

TEST_F(ArrayPairsErrors, ThingsThatAreNotNumbers) {
  const h5::Handle string(H5Tcopy(H5T_C_S1), H5Tclose, "a string type");
  const h5::Handle compound(H5Tcreate(H5T_COMPOUND, 16), H5Tclose, "a compound type");
  h5::check(H5Tinsert(compound, "r", 0, H5T_NATIVE_DOUBLE), "a compound type");
  h5::check(H5Tinsert(compound, "i", 8, H5T_NATIVE_DOUBLE), "a compound type");
  const h5::Handle enumeration(H5Tenum_create(H5T_NATIVE_INT8), H5Tclose, "an enumeration");
  const signed char yes = 1;
  h5::check(H5Tenum_insert(enumeration, "TRUE", &yes), "an enumeration");
  const h5::Handle array(H5Tarray_create2(H5T_NATIVE_DOUBLE, 1, Shape{2}.data()), H5Tclose, "an array type");
  const hsize_t three = 3;
  const h5::Handle space(H5Screate_simple(1, &three, nullptr), H5Sclose, "a space");
  const std::vector<std::pair<hid_t, std::string>> types{
      {string, "string"}, {compound, "compound"},         {enumeration, "enumeration"},
      {array, "array"},   {H5T_STD_REF_OBJ, "reference"}, {H5T_STD_B8LE, "bit field"}};
  for (const auto& [type, name] : types) {
    count_up("view_a", {3}, 0);
    write_empty("view_b", type, space);
    expect_input_error({path_, "view_b has type " + name});
  }
  count_up("view_a", {3}, 0);
  count_up("view_b", {3}, 0);
  write_empty("labels", string, space);
  expect_input_error({path_, "labels has type string"});
}

TEST_F(ArrayPairsErrors, GroupsScalarsAndDanglingLinks) {
  { const h5::Handle group(H5Gcreate2(file_, "view_a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose, "a group"); }
  expect_input_error({path_, "view_a cannot be opened as a dataset", "not a dataset"});
  h5::check(H5Lcreate_soft("/nowhere", file_, "view_a", H5P_DEFAULT, H5P_DEFAULT), "a link");
  expect_input_error({path_, "view_a cannot be opened"});
  h5::check(H5Lcreate_external("absent.h5", "/x", file_, "view_a", H5P_DEFAULT, H5P_DEFAULT), "a link");
  expect_input_error({path_, "view_a cannot be opened", "external", "absent.h5"});
  {
    const h5::Handle scalar(H5Screate(H5S_SCALAR), H5Sclose, "a scalar space");
    write_empty("view_a", H5T_NATIVE_DOUBLE, scalar);
  }
  expect_input_error({path_, "view_a has no dimensions"});
}

TEST_F(ArrayPairsErrors, LabelsThatDoNotFit) {
  const auto fill = [&] {
    count_up("view_a", {3, 2}, 0);
    count_up("view_b", {3, 2}, 0);
  };
  fill();
  count_up("labels", {2}, 0);
  expect_input_error({path_, "labels has shape (2,)", "expected (3,)", "view_a"});
  fill();
  count_up("labels", {3, 1}, 0);
  expect_input_error({path_, "labels has shape (3, 1)"});
  fill();
  count_up("test", {4, 2}, 0);
  count_up("test_labels", {3}, 0);
  expect_input_error({path_, "test_labels has shape (3,)", "expected (4,)", "test"});
  for (const double wrong : {1.5, 1e300, std::numeric_limits<double>::quiet_NaN()}) {
    fill();
    write("labels", {3}, {0, wrong, 1});
    const ArrayPairs pairs = open();
    expect_error(ExitCode::input, {path_, "labels", "sample 1", "whole numbers"}, [&] { (void)train_labels(pairs); });
    start();
  }
}

TEST_F(ArrayPairsErrors, LabelsBeyondSigned64Bits) {
  const hsize_t three = 3;
  const std::vector<std::uint64_t> large{INT64_MAX, std::uint64_t{1} << 63, UINT64_MAX};
  const h5::Handle space(H5Screate_simple(1, &three, nullptr), H5Sclose, "a space");
  count_up("view_a", {3, 2}, 0);
  count_up("view_b", {3, 2}, 0);
  write_empty("labels", H5T_STD_U64BE, space);
  {
    const h5::Handle labels(H5Dopen2(file_, "labels", H5P_DEFAULT), H5Dclose, "labels");
    h5::check(H5Dwrite(labels, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, large.data()), "labels");
  }
  const ArrayPairs pairs = open();
  expect_error(ExitCode::input, {path_, "labels holds 9223372036854775808 for sample 1", "up to 9223372036854775807"},
               [&] { (void)train_labels(pairs); });
  EXPECT_EQ(train_labels(open_array_pairs(path_, 1, 0)), std::vector{INT64_MAX});
}

TEST_F(ArrayPairsErrors, NanAndInfNameFileDatasetAndSample) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    std::vector<double> values(20, 1.0);
    count_up("view_a", {10, 2}, 0);
    values[15] = bad;
    write("view_b", {10, 2}, values);
    values[15] = 1;
    values[3] = bad;
    write("test", {10, 2}, values, H5T_IEEE_F32LE);
    const PairSource source = open();
    const std::string name = std::isnan(bad) ? "nan" : "-inf";
    expect_error(ExitCode::input, {path_, "view_b", name, "sample 7"}, [&] { read(source, {10, 11, 12, 13, 14, 15}); });
    expect_error(ExitCode::input, {path_, "view_b", "sample 7"}, [&] { (void)pair_moments(source, {6, 9}); });
    EXPECT_EQ(read(source, {14}), (std::vector<double>{14, 15}));
    std::vector<double> out(8);
    expect_error(ExitCode::input, {path_, "test", "sample 1"}, [&] {
      read_tests(source, {1, 5}, {out.data(), 2, 4, 2});
    });
    start();
  }
}

TEST_F(ArrayPairsErrors, FileThatVanishesOrChangesMeanwhile) {
  count_up("view_a", {3, 2}, 0);
  count_up("view_b", {3, 2}, 0);
  const PairSource source = open();
  start();
  count_up("view_a", {3, 5}, 0);
  file_.close("closing a file");
  expect_error(ExitCode::input, {path_, "view_a", "do not change it"}, [&] { read(source, {0}); });
  fs::remove(path_);
  expect_error(ExitCode::input, {path_, "No such file"}, [&] { read(source, {0}); });
}

}  // namespace
}  // namespace stepwise
