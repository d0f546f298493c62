#include <gtest/gtest.h>

#include <cmath>

#include "data/array_pairs_file.hpp"

namespace stepwise {
namespace {

class MultimodalTest : public ArrayPairsFile {
 protected:
  MultimodalPairs open_both(std::int64_t pairs = -1, std::int64_t tests = -1) {
    file_.close("closing a file");
    return open_multimodal_pairs(path_, pairs, tests);
  }
  void expect_refusal(std::vector<std::string> parts, std::int64_t tests = -1) {
    expect_error(ExitCode::input, parts, [&] { (void)open_both(-1, tests); });
    start();
  }
  /// All test samples.
  static std::vector<double> tests_of(const PairSource& source) {
    const std::int64_t size = sample_shape(source).size();
    std::vector<double> out(static_cast<std::size_t>(size * test_count(source)), -1);
    read_tests(source, {0, test_count(source)}, {out.data(), size, test_count(source), size});
    return out;
  }
};

TEST_F(MultimodalTest, SamplesCarryTheirModalityAndZeros) {
  count_up("view_a", {3, 2}, 10);
  count_up("view_b", {3, 1, 2, 2}, 20);
  count_up("test_a", {2, 2}, 50);
  count_up("test_b", {1, 1, 2, 2}, 60);
  const MultimodalPairs both = open_both();
  EXPECT_EQ(both.shapes[0], (ImageShape{1, 1, 2}));
  EXPECT_EQ(both.shapes[1], (ImageShape{1, 2, 2}));
  const PairSource source = both;
  EXPECT_EQ(view_count(source), 2);
  EXPECT_EQ(sample_shape(source), (ImageShape{1, 1, 5}));
  EXPECT_EQ(read(source, {1, 0, 4}), (std::vector<double>{1, 20, 21, 22, 23, 0, 10, 11, 0, 0, 0, 14, 15, 0, 0}));
  EXPECT_EQ(tests_of(source), (std::vector<double>{0, 50, 51, 0, 0, 0, 52, 53, 0, 0, 1, 60, 61, 62, 63}));
  const auto groups = test_groups(source);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].name, "test_a");
  EXPECT_EQ(groups[1].name, "test_b");
  EXPECT_EQ(groups[1].range, (Range{2, 3}));
  EXPECT_EQ(groups[1].modality, 1U);
}

TEST_F(MultimodalTest, StandardisationIsByModalityAndChannel) {
  write("view_a", {2, 2}, {1, 3, 5, 7});
  write("view_b", {2, 2, 2}, {10, 10, 2, 4, 10, 10, 6, 8});  // two channels of two numbers
  PairSource source = open_both();
  EXPECT_EQ(moment_pixels(source), (std::vector<std::int64_t>{2, 2, 2}));
  EXPECT_EQ(pair_moments(source, {0, 2}), (std::vector<double>{2, 10, 3, 2, 0, 2, 6, 10, 7, 2, 0, 2}));
  const Standardisation result = standardise(pair_moments(source, {0, 2}), moment_pixels(source));
  EXPECT_EQ(result.mean, (std::vector<double>{4, 10, 5}));
  const double deviation = std::sqrt(5);
  EXPECT_EQ(result.deviation, (std::vector<double>{deviation, 1, deviation}));
  set_standardisation(source, result);
  EXPECT_EQ(read(source, {0, 3}), (std::vector<double>{0, -3 / deviation, -1 / deviation, 0, 0,  //
                                                       1, 0, 0, 1 / deviation, 3 / deviation}));
}

TEST_F(MultimodalTest, EitherTestSetOrNone) {
  count_up("view_a", {4, 2}, 0);
  count_up("view_b", {4, 3}, 0);
  count_up("test_b", {5, 3}, 0);
  const PairSource source = open_both(3, 4);
  EXPECT_EQ(pair_count(source), 3);
  EXPECT_EQ(test_count(source), 4);
  EXPECT_EQ(test_groups(source).front().name, "test_b");
  start();
  count_up("view_a", {4, 2}, 0);
  count_up("view_b", {4, 3}, 0);
  EXPECT_TRUE(test_groups(open_both()).empty());
}

TEST_F(MultimodalTest, Refusals) {
  count_up("view_a", {4, 2}, 0);
  expect_refusal({"view_b"});
  count_up("view_a", {4, 2}, 0);
  count_up("view_b", {3, 3}, 0);
  expect_refusal({"(4, 2)", "(3, 3)", "as many rows"});
  count_up("view_a", {4, 2}, 0);
  count_up("view_b", {4, 3}, 0);
  count_up("test_a", {4, 3}, 0);
  expect_refusal({"test_a", "(4, 3)", "(4, 2)"});
  count_up("view_a", {4, 2}, 0);
  count_up("view_b", {4, 3}, 0);
  count_up("test", {4, 3}, 0);
  expect_refusal({"has test", "test_a and test_b"});
}

class ManyViewsTest : public ArrayPairsFile {};

TEST_F(ManyViewsTest, ConsecutiveLettersAreViews) {
  for (const char* name : {"view_a", "view_b", "view_c", "view_e"}) count_up(name, {3, 2}, 10.0 * (name[5] - 'a'));
  const PairSource source = open();
  EXPECT_EQ(view_count(source), 3);
  EXPECT_EQ(read(source, {5, 0, 4}), (std::vector<double>{22, 23, 0, 1, 12, 13}));
  EXPECT_EQ(moment_pixels(source), (std::vector<std::int64_t>{6}));
  EXPECT_EQ(view_count(open_array_pairs(path_, -1, -1, 2)), 2);
  expect_error(ExitCode::input, {"--views.count asks for 4", "view_a to view_c"},
               [&] { (void)open_array_pairs(path_, -1, -1, 4); });
}

TEST(ImageViews, MoreViewsLeaveTheFirstAsTheyAre) {
  ImagePairs images;
  images.train = DeadLeaves{.shape = {3, 12, 12}, .seed = 5, .first = 0};
  images.pairs = 6;
  images.views = {.crop = 8, .flip = true, .noise = .1};
  images.seed = 5;
  ImagePairs more = images;
  more.view_count = 4;
  const std::int64_t size = 3 * 8 * 8;
  const auto one = [size](const ImagePairs& source, std::int64_t sample) {
    std::vector<double> out(static_cast<std::size_t>(size));
    read_samples(source, std::vector{sample}, {out.data(), size, 1, size});
    return out;
  };
  for (std::int64_t pair = 0; pair < 6; ++pair) {
    for (std::int64_t view = 0; view < 2; ++view) EXPECT_EQ(one(images, 2 * pair + view), one(more, 4 * pair + view));
    EXPECT_NE(one(more, 4 * pair + 2), one(more, 4 * pair + 3));
    EXPECT_NE(one(more, 4 * pair + 2), one(more, 4 * pair));
  }
}

}  // namespace
}  // namespace stepwise
