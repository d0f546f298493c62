#include "stepwise/data/images.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "data/expect_error.hpp"

namespace stepwise {
namespace {

std::vector<std::uint8_t> image_of(const ImageSource& source, std::int64_t index) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(shape(source).size()));
  read_image(source, index, out);
  return out;
}

TEST(StoredImages, AreReadByIndex) {
  const StoredImages stored{{1, 1, 2}, {1, 2, 3, 4, 5, 6}, {}};
  EXPECT_EQ(shape(stored), (ImageShape{1, 1, 2}));
  EXPECT_EQ(image_of(stored, 0), (std::vector<std::uint8_t>{1, 2}));
  EXPECT_EQ(image_of(stored, 2), (std::vector<std::uint8_t>{5, 6}));
  expect_error(ExitCode::internal, {"image 3", "only 3"}, [&] { image_of(stored, 3); });
  expect_error(ExitCode::internal, {"-1"}, [&] { image_of(stored, -1); });
}

TEST(DeadLeaves, ImageIsAFunctionOfSeedAndIndex) {
  const DeadLeaves source{{3, 32, 32}, 11, 0};
  const auto fifth = image_of(source, 5);
  EXPECT_EQ(image_of(source, 5), fifth);
  EXPECT_EQ(image_of(DeadLeaves{{3, 32, 32}, 11, 3}, 2), fifth) << "indices must continue where the first set ended";
  EXPECT_NE(image_of(source, 6), fifth);
  EXPECT_NE(image_of(DeadLeaves{{3, 32, 32}, 12, 0}, 5), fifth);
}

TEST(DeadLeaves, EveryPixelIsPaintedInAnyShape) {
  for (const ImageShape& wanted : {ImageShape{1, 1, 1}, ImageShape{3, 5, 40}, ImageShape{1, 28, 28}}) {
    const DeadLeaves source{wanted, 1, 0};
    for (std::int64_t i = 0; i < 20; ++i) {
      std::vector<std::uint8_t> black(static_cast<std::size_t>(wanted.size()), 0);
      std::vector<std::uint8_t> white(black.size(), 255);
      read_image(source, i, black);
      read_image(source, i, white);
      EXPECT_EQ(black, white);
    }
  }
}

/// Correlation of pixels `distance` apart in a row, over many images and all channels.
double row_correlation(const DeadLeaves& source, std::int64_t distance) {
  const ImageShape& s = source.shape;
  double n = 0, sum = 0, square = 0, product = 0;
  for (std::int64_t i = 0; i < 300; ++i) {
    const auto image = image_of(source, i);
    for (std::int64_t row = 0; row < s.channels * s.height; ++row) {
      for (std::int64_t x = 0; x + distance < s.width; ++x) {
        const double here = image[static_cast<std::size_t>(row * s.width + x)];
        const double there = image[static_cast<std::size_t>(row * s.width + x + distance)];
        n += 1;
        sum += (here + there) / 2;
        square += (here * here + there * there) / 2;
        product += here * there;
      }
    }
  }
  return (product / n - sum * sum / n / n) / (square / n - sum * sum / n / n);
}

TEST(DeadLeaves, NearPixelsResembleEachOtherAndFarOnesLess) {
  const DeadLeaves source{{3, 32, 32}, 2, 0};
  const double at_1 = row_correlation(source, 1);
  const double at_4 = row_correlation(source, 4);
  const double at_16 = row_correlation(source, 16);
  EXPECT_GT(at_1, 0.8);
  EXPECT_GT(at_1, at_4);
  EXPECT_GT(at_4, at_16);
  EXPECT_GT(at_16, 0.2) << "the tint of an image reaches all over it";
}

TEST(DeadLeaves, ImagesVary) {
  const DeadLeaves source{{3, 32, 32}, 3, 0};
  std::set<std::string> distinct;
  double mean = 0, square = 0, least_values = 1e9;
  constexpr int images = 200;
  for (int i = 0; i < images; ++i) {
    const auto image = image_of(source, i);
    distinct.emplace(image.begin(), image.end());
    least_values = std::min(least_values, static_cast<double>(std::set(image.begin(), image.end()).size()));
    for (const std::uint8_t value : image) {
      mean += value / (3072.0 * images);
      square += value * value / (3072.0 * images);
    }
  }
  EXPECT_EQ(distinct.size(), std::size_t{images});
  EXPECT_GT(least_values, 8) << "an image needs several discs";
  EXPECT_NEAR(mean, 127.5, 10);
  EXPECT_GT(std::sqrt(square - mean * mean), 30);
}

}  // namespace
}  // namespace stepwise
