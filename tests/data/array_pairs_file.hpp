#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "data/expect_error.hpp"
#include "stepwise/data/pairs.hpp"
#include "stepwise/h5/handle.hpp"

namespace stepwise {

using Shape = std::vector<hsize_t>;

/// Fixture with a fresh HDF5 file that the test fills.
class ArrayPairsFile : public testing::Test {
 protected:
  ArrayPairsFile() {
    h5::silence_errors();
    const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
    const std::filesystem::path directory = std::filesystem::path(STEPWISE_TEST_SCRATCH) / "array_pairs";
    std::filesystem::create_directories(directory);
    path_ = (directory / (std::string(test->test_suite_name()) + "." + test->name() + ".h5")).string();
    start();
  }

  void start() {
    file_ = h5::Handle(H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose, "creating a file");
  }

  /// Writes doubles, converted to `type`; chunked and compressed where `chunk` > 0 rows.
  void write(const std::string& name, const Shape& shape, const std::vector<double>& values,
             hid_t type = H5T_NATIVE_DOUBLE, hsize_t chunk = 0) {
    const h5::Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose, name);
    const h5::Handle create(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, name);
    if (chunk > 0) {
      Shape chunks = shape;
      chunks.front() = chunk;
      h5::check(H5Pset_chunk(create, static_cast<int>(chunks.size()), chunks.data()), name);
      h5::check(H5Pset_deflate(create, 1), name);
    }
    const h5::Handle dataset(H5Dcreate2(file_, name.c_str(), type, space, H5P_DEFAULT, create, H5P_DEFAULT), H5Dclose,
                             name);
    if (!values.empty()) {
      h5::check(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), name);
    }
  }

  /// Numbers counting up from `first`.
  void count_up(const std::string& name, const Shape& shape, double first, hid_t type = H5T_NATIVE_DOUBLE,
                hsize_t chunk = 0) {
    const hsize_t size = std::accumulate(shape.begin(), shape.end(), hsize_t{1}, std::multiplies<hsize_t>());
    std::vector<double> values(size);
    std::iota(values.begin(), values.end(), first);
    write(name, shape, values, type, chunk);
  }

  void write_empty(const std::string& name, hid_t type, hid_t space) {
    const h5::Handle dataset(H5Dcreate2(file_, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                             H5Dclose, name);
  }

  ArrayPairs open(std::int64_t pairs = -1, std::int64_t tests = -1) {
    file_.close("closing a file");
    return open_array_pairs(path_, pairs, tests);
  }

  void expect_input_error(std::vector<std::string> parts, std::int64_t pairs = -1, std::int64_t tests = -1) {
    expect_error(ExitCode::input, parts, [&] { (void)open(pairs, tests); });
    start();
  }

  static std::vector<double> read(const PairSource& source, const std::vector<std::int64_t>& samples) {
    const std::int64_t size = sample_shape(source).size();
    std::vector<double> out(samples.size() * static_cast<std::size_t>(size));
    read_samples(source, samples, {out.data(), size, std::ssize(samples), size});
    return out;
  }

  std::string path_;
  h5::Handle file_;
};

}  // namespace stepwise
