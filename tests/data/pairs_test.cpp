#include "stepwise/data/pairs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "data/expect_error.hpp"
#include "stepwise/core/random.hpp"

namespace stepwise {
namespace {

ImagePairs leaf_pairs(std::int64_t pairs, std::int64_t tests) {
  return {.train = DeadLeaves{{3, 16, 16}, 21, 0},
          .test = DeadLeaves{{3, 16, 16}, 21, pairs},
          .pairs = pairs,
          .tests = tests,
          .views = {.crop = 10, .flip = true, .noise = 0.1},
          .seed = 77,
          .standardisation = {{120, 121, 122}, {40, 41, 42}}};
}

std::vector<double> samples_of(const PairSource& source, const std::vector<std::int64_t>& samples) {
  const std::int64_t size = sample_shape(source).size();
  std::vector<double> out(samples.size() * static_cast<std::size_t>(size));
  read_samples(source, samples, {out.data(), size, std::ssize(samples), size});
  return out;
}

std::vector<std::int64_t> first_numbers(std::int64_t n) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(n));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

TEST(ImagePairs, KnowTheirSizes) {
  const PairSource source = leaf_pairs(9, 4);
  EXPECT_EQ(pair_count(source), 9);
  EXPECT_EQ(test_count(source), 4);
  EXPECT_EQ(sample_shape(source), (ImageShape{3, 10, 10}));
  EXPECT_EQ(moment_pixels(source), (std::vector<std::int64_t>(3, 256)));
}

TEST(ImagePairs, SamplesAreTheTwoViewsOfTheirImage) {
  const ImagePairs pairs = leaf_pairs(6, 0);
  const auto all = samples_of(pairs, first_numbers(12));
  std::vector<std::uint8_t> image(3 * 16 * 16);
  std::vector<double> view(300);
  for (std::int64_t sample = 0; sample < 12; ++sample) {
    read_image(pairs.train, sample / 2, image);
    make_view(image, {3, 16, 16}, pairs.views, pairs.standardisation, 77, sample / 2, static_cast<int>(sample % 2),
              view);
    EXPECT_TRUE(std::equal(view.begin(), view.end(), all.begin() + 300 * sample));
  }
}

TEST(ImagePairs, SeveralPairsOfEachImageAreAllDifferent) {
  ImagePairs pairs = leaf_pairs(7, 0);
  pairs.per_image = 3;
  EXPECT_EQ(image_count(pairs), 3);
  const auto all = samples_of(pairs, first_numbers(14));
  std::vector<std::uint8_t> image(3 * 16 * 16);
  std::vector<double> view(300);
  for (std::int64_t sample = 0; sample < 14; ++sample) {
    read_image(pairs.train, sample / 2 % 3, image);
    make_view(image, {3, 16, 16}, pairs.views, pairs.standardisation, 77, sample / 2, static_cast<int>(sample % 2),
              view);
    EXPECT_TRUE(std::equal(view.begin(), view.end(), all.begin() + 300 * sample));
  }
  pairs.train = StoredImages{{1, 2, 1}, {1, 2, 3, 4, 5, 6}, {7, 8, 9}};
  pairs.views = {};
  pairs.standardisation = {};
  EXPECT_EQ(train_labels(pairs), (std::vector<std::int64_t>{7, 8, 9, 7, 8, 9, 7}));
  EXPECT_EQ(pair_moments(pairs, {3, 4}), pair_moments(pairs, {0, 1}));
}

TEST(ImagePairs, SamplesAreBitIdenticalInAnyGrouping) {
  const PairSource source = leaf_pairs(20, 0);
  const auto all = samples_of(source, first_numbers(40));
  for (const std::vector<std::int64_t>& group :
       {std::vector<std::int64_t>{5}, {39, 0, 38, 1}, {4, 5, 6, 7, 20, 21, 22, 23}, {3, 3, 3}}) {
    const auto some = samples_of(source, group);
    for (std::size_t j = 0; j < group.size(); ++j) {
      EXPECT_TRUE(std::equal(some.begin() + static_cast<std::ptrdiff_t>(300 * j),
                             some.begin() + static_cast<std::ptrdiff_t>(300 * j + 300), all.begin() + 300 * group[j]));
    }
  }
}

TEST(ImagePairs, WritesOnlyTheColumnsOfAWiderMatrix) {
  const PairSource source = leaf_pairs(4, 0);
  const std::vector<std::int64_t> samples{6, 2};
  const auto packed = samples_of(source, samples);
  std::vector<double> wide(2 * 307, -1);
  read_samples(source, samples, {wide.data() + 3, 300, 2, 307});
  for (std::size_t j = 0; j < 2; ++j) {
    for (std::size_t i = 0; i < 307; ++i) {
      EXPECT_EQ(wide[307 * j + i], i >= 3 && i < 303 ? packed[300 * j + i - 3] : -1);
    }
  }
}

TEST(ImagePairs, TestsAreCentralViewsOfTheTestImages) {
  const ImagePairs pairs = leaf_pairs(5, 4);
  std::vector<double> tests(600);
  read_tests(pairs, {1, 3}, {tests.data(), 300, 2, 300});
  std::vector<std::uint8_t> image(768);
  std::vector<double> view(300);
  for (std::int64_t i = 0; i < 2; ++i) {
    read_image(DeadLeaves{{3, 16, 16}, 21, 0}, 5 + 1 + i, image);
    make_test_view(image, {3, 16, 16}, pairs.views, pairs.standardisation, view);
    EXPECT_TRUE(std::equal(view.begin(), view.end(), tests.begin() + 300 * i));
  }
}

TEST(ImagePairs, LabelsOfTheImagesUsed) {
  ImagePairs pairs = leaf_pairs(2, 1);
  EXPECT_TRUE(train_labels(pairs).empty());
  EXPECT_TRUE(test_labels(pairs).empty());
  pairs.train = StoredImages{{1, 1, 1}, {0, 1, 2}, {7, 8, 9}};
  pairs.test = StoredImages{{1, 1, 1}, {0, 1, 2}, {4, 5, 6}};
  EXPECT_EQ(train_labels(pairs), (std::vector<std::int64_t>{7, 8}));
  EXPECT_EQ(test_labels(pairs), (std::vector<std::int64_t>{4}));
}

TEST(ImagePairs, RefuseNumbersThatDoNotExist) {
  const PairSource source = leaf_pairs(4, 2);
  expect_error(ExitCode::internal, {"samples"}, [&] { samples_of(source, {8}); });
  expect_error(ExitCode::internal, {"samples"}, [&] { samples_of(source, {-1}); });
  std::vector<double> out(300);
  expect_error(ExitCode::internal, {"test samples"}, [&] { read_tests(source, {2, 3}, {out.data(), 300, 1, 300}); });
  expect_error(ExitCode::internal, {"pairs 0 to 5"}, [&] { (void)pair_moments(source, {0, 5}); });
}

TEST(PairMoments, AreThoseOfTheWholeImage) {
  const PairSource source =
      ImagePairs{.train = StoredImages{{2, 1, 4}, {1, 2, 3, 6, 9, 9, 9, 9, 0, 0, 0, 4, 5, 7, 5, 7}, {}},
                 .test = DeadLeaves{},
                 .pairs = 2,
                 .tests = 0,
                 .views = {.crop = 1, .flip = true, .noise = 3},
                 .seed = 1,
                 .standardisation = {{100, 100}, {3, 3}}};
  EXPECT_EQ(moment_pixels(source), (std::vector<std::int64_t>{4, 4}));
  EXPECT_EQ(pair_moments(source, {0, 2}), (std::vector<double>{3, 9, 14, 0, 1, 6, 12, 4}));
  EXPECT_EQ(pair_moments(source, {1, 2}), (std::vector<double>{1, 6, 12, 4}));
  EXPECT_TRUE(pair_moments(source, {1, 1}).empty());
}

TEST(PairMoments, DoNotDependOnHowThePairsAreShared) {
  const PairSource source = leaf_pairs(23, 0);
  const auto together = pair_moments(source, {0, 23});
  const Standardisation expected = standardise(together, moment_pixels(source));
  for (const std::int64_t parts : {1, 2, 5, 23}) {
    std::vector<double> gathered;
    for (std::int64_t part = 0; part < parts; ++part) {
      const auto piece = pair_moments(source, even_share(23, parts, part));
      gathered.insert(gathered.end(), piece.begin(), piece.end());
    }
    EXPECT_EQ(gathered, together);
    EXPECT_EQ(standardise(gathered, moment_pixels(source)), expected);
  }
}

TEST(Standardise, GivesTheTrainingImagesMeanZeroAndDeviationOne) {
  ImagePairs pairs = leaf_pairs(50, 0);
  pairs.views = {};
  PairSource source = pairs;
  set_standardisation(source, standardise(pair_moments(source, {0, 50}), std::vector<std::int64_t>(3, 256)));
  const auto samples = samples_of(source, first_numbers(100));
  for (std::size_t c = 0; c < 3; ++c) {
    double sum = 0;
    double square = 0;
    for (std::size_t j = 0; j < 100; ++j) {
      for (std::size_t p = 0; p < 256; ++p) {
        const double x = samples[768 * j + 256 * c + p];
        sum += x / 25600;
        square += x * x / 25600;
      }
    }
    EXPECT_NEAR(sum, 0, 1e-11);
    EXPECT_NEAR(square, 1, 1e-11);
  }
}

TEST(Standardise, IsExactOnAHandfulOfNumbers) {
  // Two pairs of two numbers: channel 0 holds 1 3 | 5 7, channel 1 holds 2 2 | 2 2.
  const std::vector<double> moments{2, 2, 2, 0, 6, 2, 2, 0};
  const Standardisation result = standardise(moments, std::vector<std::int64_t>{2, 2});
  EXPECT_EQ(result.mean, (std::vector<double>{4, 2}));
  EXPECT_DOUBLE_EQ(result.deviation[0], std::sqrt(5.0));
  EXPECT_EQ(result.deviation[1], 1) << "a constant channel is only centred";
}

TEST(Standardise, KeepsItsDigitsWhenTheMeanIsLarge) {
  constexpr std::int64_t pairs = 20000;
  constexpr std::int64_t pixels = 8;
  RandomStream random(1, Purpose::probe, 0);
  std::vector<double> moments;
  long double sum = 0;
  long double square = 0;
  for (std::int64_t i = 0; i < pairs; ++i) {
    std::array<double, pixels> x{};
    long double mean = 0;
    for (double& value : x) {
      value = 1e6 + random.normal();
      mean += value;
      sum += value - 1e6L;
      square += (value - 1e6L) * (value - 1e6L);
    }
    mean /= pixels;
    long double spread = 0;
    for (const double value : x) spread += (value - mean) * (value - mean);
    moments.push_back(static_cast<double>(mean));
    moments.push_back(static_cast<double>(spread));
  }
  const long double count = pairs * pixels;
  const Standardisation result = standardise(moments, std::vector<std::int64_t>{pixels});
  EXPECT_NEAR(result.mean[0], static_cast<double>(1e6L + sum / count), 1e-8);
  EXPECT_NEAR(result.deviation[0], static_cast<double>(std::sqrt(square / count - sum * sum / count / count)), 1e-10);
}

TEST(Standardise, RefusesWhatItCannotScale) {
  expect_error(ExitCode::input, {"channel 0", "scale the data"}, [] {
    (void)standardise(std::vector<double>{1e200, 0, -1e200, 0}, std::vector<std::int64_t>{4});
  });
  expect_error(ExitCode::internal, {}, [] {
    (void)standardise(std::vector<double>{1, 2, 3}, std::vector<std::int64_t>{4});
  });
  expect_error(ExitCode::internal, {}, [] { (void)standardise({}, std::vector<std::int64_t>{4}); });
}

}  // namespace
}  // namespace stepwise
