#include "stepwise/data/views.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "data/expect_error.hpp"

namespace stepwise {
namespace {

const Standardisation identity{};

/// An image of numbered pixels: its views tell where they come from. At most 256 pixels.
std::vector<std::uint8_t> numbered(const ImageShape& shape) {
  std::vector<std::uint8_t> image(static_cast<std::size_t>(shape.size()));
  std::iota(image.begin(), image.end(), std::uint8_t{0});
  return image;
}

std::vector<double> view_of(std::span<const std::uint8_t> image, const ImageShape& shape, const ViewOptions& options,
                            std::uint64_t seed, std::int64_t index, int view,
                            const Standardisation& standardisation = identity) {
  std::vector<double> out(static_cast<std::size_t>(view_shape(shape, options).size()));
  make_view(image, shape, options, standardisation, seed, index, view, out);
  return out;
}

TEST(ViewShape, IsTheCrop) {
  const ImageShape image{3, 30, 40};
  EXPECT_EQ(view_shape(image, {}), image);
  EXPECT_EQ(view_shape(image, {.crop = 20}), (ImageShape{3, 20, 20}));
  EXPECT_EQ(view_shape(image, {.crop = 30}), (ImageShape{3, 30, 30}));
}

TEST(ViewShape, NamesTheOptionThatIsWrong) {
  const ImageShape image{3, 30, 40};
  const auto expect_input_error = [&](const std::vector<std::string>& parts, const ViewOptions& options) {
    expect_error(ExitCode::input, parts, [&] { (void)view_shape(image, options); });
  };
  expect_input_error({"--views.crop is 31", "30 x 40", "1 to 30"}, {.crop = 31});
  expect_input_error({"--views.crop is -1"}, {.crop = -1});
  expect_input_error({"--views.noise is -0.5"}, {.noise = -0.5});
  expect_input_error({"--views.noise is inf"}, {.noise = std::numeric_limits<double>::infinity()});
  expect_input_error({"--views.noise is nan"}, {.noise = std::numeric_limits<double>::quiet_NaN()});
}

TEST(MakeView, WithoutOptionsIsTheImage) {
  const ImageShape shape{2, 3, 4};
  const auto image = numbered(shape);
  EXPECT_EQ(view_of(image, shape, {}, 1, 0, 0), std::vector<double>(image.begin(), image.end()));
}

TEST(MakeView, CropIsAWindowOfEveryChannel) {
  const ImageShape shape{2, 6, 5};
  const auto image = numbered(shape);
  for (std::int64_t index = 0; index < 50; ++index) {
    const auto view = view_of(image, shape, {.crop = 3}, 4, index, 1);
    for (std::size_t c = 0; c < 2; ++c) {
      for (std::size_t y = 0; y < 3; ++y) {
        for (std::size_t x = 0; x < 3; ++x) {
          EXPECT_EQ(view[9 * c + 3 * y + x], view[0] + static_cast<double>(30 * c + 5 * y + x));
        }
      }
    }
    EXPECT_LE(view[0], 3 * 5 + 2);
    EXPECT_LE(static_cast<int>(view[0]) % 5, 2);
  }
}

TEST(MakeView, CropPlacesAreUniform) {
  const ImageShape shape{1, 10, 13};
  const auto image = numbered(shape);
  const ViewOptions options{.crop = 5};
  std::map<double, int> count;
  constexpr int places = 6 * 9;
  constexpr int samples = 200 * places;
  for (int i = 0; i < samples; ++i) ++count[view_of(image, shape, options, 99, i / 2, i % 2)[0]];
  ASSERT_EQ(count.size(), std::size_t{places});
  double chi_square = 0;
  for (const auto& [place, hits] : count) chi_square += std::pow(hits - 200.0, 2) / 200;
  EXPECT_LT(chi_square, places - 1 + 4 * std::sqrt(2.0 * (places - 1)));
}

TEST(MakeView, TwoCropsOfOneImageCoincideAsOftenAsChanceSays) {
  const ImageShape shape{1, 32, 32};
  std::vector<std::uint8_t> image(1024);
  read_image(DeadLeaves{shape, 1, 0}, 0, image);
  const ViewOptions options{.crop = 20};
  constexpr int samples = 20000;
  int equal = 0;
  for (int i = 0; i < samples; ++i) {
    if (view_of(image, shape, options, 5, i, 0) == view_of(image, shape, options, 5, i, 1)) ++equal;
  }
  const double expected = samples / 169.0;
  EXPECT_NEAR(equal, expected, 4 * std::sqrt(expected));
}

TEST(MakeView, FlipMirrorsHalfOfTheViewsAndMirroringTwiceRestoresThem) {
  const ImageShape shape{2, 3, 4};
  const auto image = numbered(shape);
  const std::vector<double> plain(image.begin(), image.end());
  constexpr int samples = 4000;
  int flipped = 0;
  for (int i = 0; i < samples; ++i) {
    const auto view = view_of(image, shape, {.flip = true}, 6, i, i % 2);
    if (view == plain) continue;
    ++flipped;
    // The same draw on the mirrored image mirrors it back.
    const std::vector<std::uint8_t> mirrored(view.begin(), view.end());
    ASSERT_EQ(view_of(mirrored, shape, {.flip = true}, 6, i, i % 2), plain);
    ASSERT_EQ(view[0], 3);
    ASSERT_EQ(view[3], 0);
  }
  EXPECT_NEAR(flipped, samples / 2.0, 4 * std::sqrt(samples / 4.0));
}

TEST(MakeView, OptionsDoNotDisturbEachOthersDraws) {
  const ImageShape shape{1, 10, 12};
  const auto image = numbered(shape);
  for (int i = 0; i < 50; ++i) {
    const auto cropped = view_of(image, shape, {.crop = 4}, 7, i, 0);
    auto both = view_of(image, shape, {.crop = 4, .flip = true}, 7, i, 0);
    if (both[0] > both[1]) {
      for (std::size_t y = 0; y < 4; ++y) {
        std::reverse(both.begin() + static_cast<int>(4 * y), both.begin() + static_cast<int>(4 * y + 4));
      }
    }
    EXPECT_EQ(both, cropped);
  }
}

TEST(MakeView, StandardisesEachChannel) {
  const ImageShape shape{2, 1, 2};
  const std::vector<std::uint8_t> image{10, 20, 30, 40};
  const Standardisation affine{{10, 50}, {2, 5}};
  EXPECT_EQ(view_of(image, shape, {}, 0, 0, 0, affine), (std::vector<double>{0, 5, -4, -2}));
}

TEST(MakeView, NoiseIsAFunctionOfSeedIndexAndView) {
  const ImageShape shape{3, 8, 8};
  const auto image = numbered(shape);
  const ViewOptions options{.crop = 6, .flip = true, .noise = 0.3};
  const auto view = view_of(image, shape, options, 8, 3, 1);
  EXPECT_EQ(view_of(image, shape, options, 8, 3, 1), view);
  EXPECT_NE(view_of(image, shape, options, 8, 3, 0), view);
  EXPECT_NE(view_of(image, shape, options, 8, 4, 1), view);
  EXPECT_NE(view_of(image, shape, options, 9, 3, 1), view);
}

TEST(MakeView, NoiseHasTheDeviationAskedForAfterStandardisation) {
  const ImageShape shape{1, 16, 16};
  const auto image = numbered(shape);
  const Standardisation affine{{100}, {50}};
  double sum = 0;
  double square = 0;
  constexpr int samples = 100;
  for (int i = 0; i < samples; ++i) {
    const auto clean = view_of(image, shape, {}, 1, i, 0, affine);
    const auto noisy = view_of(image, shape, {.noise = 0.25}, 1, i, 0, affine);
    for (std::size_t p = 0; p < clean.size(); ++p) {
      sum += noisy[p] - clean[p];
      square += std::pow(noisy[p] - clean[p], 2);
    }
  }
  const double count = samples * 256;
  EXPECT_NEAR(sum / count, 0, 4 * 0.25 / std::sqrt(count));
  EXPECT_NEAR(square / count, 0.0625, 4 * 0.0625 * std::sqrt(2 / count));
}

TEST(MakeTestView, IsTheCentralCrop) {
  const ImageShape shape{2, 6, 7};
  const auto image = numbered(shape);
  const Standardisation affine{{0, 0}, {1, 2}};
  std::vector<double> out(2 * 3 * 3);
  // 6 - 3 and 7 - 3 rows and columns are left over: the window starts at row 1 (of 1 and 2) and column 2.
  make_test_view(image, shape, {.crop = 3, .flip = true, .noise = 1}, affine, out);
  EXPECT_EQ(out[0], 9);
  EXPECT_EQ(out[8], 9 + 2 * 7 + 2);
  EXPECT_EQ(out[9], (42 + 9) / 2.0);
}

TEST(MakeView, RefusesBuffersOfTheWrongSize) {
  const ImageShape shape{1, 4, 4};
  const auto image = numbered(shape);
  std::vector<double> out(15);
  expect_error(ExitCode::internal, {"15"}, [&] { make_view(image, shape, {}, identity, 0, 0, 0, out); });
  expect_error(ExitCode::internal, {"15"}, [&] { make_test_view(image, shape, {}, identity, out); });
  out.resize(16);
  expect_error(ExitCode::internal, {"2 means"}, [&] {
    make_test_view(image, shape, {}, Standardisation{{0, 0}, {1, 1}}, out);
  });
}

}  // namespace
}  // namespace stepwise
