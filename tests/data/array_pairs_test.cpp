#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "data/array_pairs_file.hpp"

namespace stepwise {
namespace {

class ArrayPairsTest : public ArrayPairsFile {};

TEST_F(ArrayPairsTest, SamplesAlternateBetweenTheViews) {
  count_up("view_a", {5, 3}, 0);
  count_up("view_b", {5, 3}, 100);
  count_up("test", {2, 3}, 200);
  const PairSource source = open();
  EXPECT_EQ(pair_count(source), 5);
  EXPECT_EQ(test_count(source), 2);
  EXPECT_EQ(sample_shape(source), (ImageShape{1, 1, 3}));
  EXPECT_EQ(read(source, {2, 3, 9, 0}), (std::vector<double>{3, 4, 5, 103, 104, 105, 112, 113, 114, 0, 1, 2}));
  EXPECT_TRUE(read(source, {}).empty());
  std::vector<double> tests(3);
  read_tests(source, {1, 2}, {tests.data(), 3, 1, 3});
  EXPECT_EQ(tests, (std::vector<double>{203, 204, 205}));
  EXPECT_TRUE(train_labels(source).empty());
  EXPECT_TRUE(test_labels(source).empty());
}

TEST_F(ArrayPairsTest, SamplesWithoutPairs) {
  count_up("test", {2, 3}, 200);
  file_.close("closing a file");
  EXPECT_EQ(open_array_samples(path_).test_name, "test");
  start();
  count_up("samples", {4, 3, 2}, 0);
  count_up("test", {2, 3}, 200);
  file_.close("closing a file");
  const ArrayPairs samples = open_array_samples(path_);
  EXPECT_EQ(samples.test_name, "samples");
  EXPECT_EQ(samples.tests, 4);
  EXPECT_EQ(samples.shape, (ImageShape{3, 1, 2}));
  std::vector<double> numbers(12);
  read_tests(samples, {2, 4}, {numbers.data(), 6, 2, 6});
  EXPECT_EQ(numbers, (std::vector<double>{12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}));
}

TEST_F(ArrayPairsTest, ShapesOfAnyRank) {
  const std::vector<std::pair<Shape, ImageShape>> cases{{{4}, {1, 1, 1}},
                                                        {{4, 6}, {1, 1, 6}},
                                                        {{4, 3, 5}, {3, 1, 5}},
                                                        {{4, 3, 5, 2}, {3, 5, 2}},
                                                        {{4, 3, 5, 2, 2}, {3, 5, 4}}};
  for (const auto& [stored, expected] : cases) {
    count_up("view_a", stored, 0);
    count_up("view_b", stored, 1000);
    const PairSource source = open();
    EXPECT_EQ(sample_shape(source), expected);
    EXPECT_EQ(read(source, {7}).front(), 1000 + 3.0 * static_cast<double>(expected.size()));
    start();
  }
}

TEST_F(ArrayPairsTest, AnyNumberTypeAndChunkedStorage) {
  for (const hid_t type : {H5T_STD_U8LE, H5T_STD_I16BE, H5T_STD_U64LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE}) {
    count_up("view_a", {30, 4}, 0, type, 7);
    count_up("view_b", {30, 4}, 100, type, 30);
    const PairSource source = open();
    EXPECT_EQ(read(source, {58, 59}), (std::vector<double>{116, 117, 118, 119, 216, 217, 218, 219}));
    start();
  }
}

TEST_F(ArrayPairsTest, SamplesAreBitIdenticalInAnyGrouping) {
  const hsize_t size = 30000;  // long enough for a stretch of samples to be read in several pieces
  count_up("view_a", {100, size}, 0.5);
  count_up("view_b", {100, size}, -0.25);
  ArrayPairs pairs = open();
  pairs.standardisation = {{1.1}, {3.3}};
  std::vector<std::int64_t> all(200);
  std::iota(all.begin(), all.end(), 0);
  const auto together = read(pairs, all);
  std::vector<std::int64_t> backwards(all.rbegin(), all.rend());
  const auto reversed = read(pairs, backwards);
  const auto block = read(pairs, {64, 65, 66, 67, 128, 129});
  const auto at = [&](const std::vector<double>& values, std::int64_t column) {
    const auto first = values.begin() + column * static_cast<std::int64_t>(size);
    return std::vector<double>(first, first + size);
  };
  for (std::int64_t i = 0; i < 200; ++i) {
    const double first = static_cast<double>(i / 2) * size + (i % 2 == 0 ? 0.5 : -0.25);
    EXPECT_EQ(at(together, i).front(), (first - 1.1) / 3.3);
    EXPECT_EQ(at(together, i).back(), (first + size - 1 - 1.1) / 3.3);
    EXPECT_EQ(at(reversed, 199 - i), at(together, i));
  }
  EXPECT_EQ(at(block, 2), at(together, 66));
  EXPECT_EQ(at(block, 5), at(together, 129));
}

TEST_F(ArrayPairsTest, UsesTheFirstPairsAndTests) {
  count_up("view_a", {5, 2}, 0);
  count_up("view_b", {5, 2}, 0);
  count_up("test", {4, 2}, 0);
  write("labels", {5}, {4, 3, 2, 1, -7}, H5T_STD_I8LE);
  write("test_labels", {4}, {9, 8, 7, 6}, H5T_IEEE_F32LE);
  const PairSource source = open(3, 2);
  EXPECT_EQ(pair_count(source), 3);
  EXPECT_EQ(test_count(source), 2);
  EXPECT_EQ(train_labels(source), (std::vector<std::int64_t>{4, 3, 2}));
  EXPECT_EQ(test_labels(source), (std::vector<std::int64_t>{9, 8}));
  EXPECT_EQ(train_labels(open_array_pairs(path_, -1, 0)).back(), -7);
  EXPECT_TRUE(test_labels(open_array_pairs(path_, -1, 0)).empty());
}

TEST_F(ArrayPairsTest, MomentsAreThoseOfBothViews) {
  write("view_a", {2, 2, 1, 2}, {1, 2, 7, 7, 1e6, 1e6 + 1, 0, 1});
  write("view_b", {2, 2, 1, 2}, {3, 6, 7, 7, 1e6 + 2, 1e6 + 5, 2, 3});
  ArrayPairs pairs = open();
  pairs.standardisation = {{50, 60}, {7, 8}};
  EXPECT_EQ(moment_pixels(pairs), (std::vector<std::int64_t>{4, 4}));
  EXPECT_EQ(pair_moments(pairs, {0, 2}), (std::vector<double>{3, 7, 14, 0, 1e6 + 2, 1.5, 14, 5}));
}

TEST_F(ArrayPairsTest, StandardisesEachChannelKeepingConstantOnesFinite) {
  write("view_a", {2, 2, 2}, {1, 2, 0.1, 0.1, 5, 6, 0.1, 0.1});
  write("view_b", {2, 2, 2}, {3, 4, 0.1, 0.1, 7, 8, 0.1, 0.1});
  write("test", {1, 2, 2}, {4.5, 5.5, 0.1, 1.1});
  PairSource source = open();
  const Standardisation result = standardise(pair_moments(source, {0, 2}), moment_pixels(source));
  EXPECT_EQ(result.mean, (std::vector<double>{4.5, 0.1}));
  EXPECT_DOUBLE_EQ(result.deviation[0], std::sqrt(5.25));
  EXPECT_EQ(result.deviation[1], 1);
  set_standardisation(source, result);
  std::vector<double> test(4);
  read_tests(source, {0, 1}, {test.data(), 4, 1, 4});
  EXPECT_EQ(test, (std::vector<double>{0, 1 / result.deviation[0], 0, 1.0}));
}

}  // namespace
}  // namespace stepwise
