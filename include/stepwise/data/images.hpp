#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "stepwise/core/index.hpp"

namespace stepwise {

/// Shape of one sample: channels x height x width, stored channel-major (all of channel 0 first).
struct ImageShape {
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  [[nodiscard]] std::int64_t size() const noexcept { return channels * height * width; }
  friend bool operator==(const ImageShape&, const ImageShape&) = default;
};

/// 8-bit images held in memory, with their labels (empty: none).
struct StoredImages {
  ImageShape shape;
  std::vector<std::uint8_t> pixels;  ///< count x channels x height x width
  std::vector<std::int64_t> labels;  ///< count, or empty
};

/// Endless dead-leaves images (Lee, Mumford, Huang 2001): opaque discs with radii of density r^-3 between 1/16 and 1/2
/// of the longer side (2 to 16 pixels of 32), centres uniform over the image and a margin of the largest radius,
/// dropped until the image is covered. Every value is 256/3 (tint + brightness + hue) with three uniform numbers: one
/// for each channel of an image, one for each disc, one for each channel of a disc; so images differ as a whole and
/// channels resemble each other, as in photographs. Image i is a function of (seed, first + i) alone. About 50
/// microseconds per 3 x 32 x 32 image.
struct DeadLeaves {
  ImageShape shape{3, 32, 32};
  std::uint64_t seed = 0;
  std::int64_t first = 0;  ///< images before this index belong to somebody else (the training set)
};

using ImageSource = std::variant<StoredImages, DeadLeaves>;

[[nodiscard]] ImageShape shape(const ImageSource& source);

/// Writes image `index` to `out` (shape.size() bytes). @throws Error(internal) when there is no such image.
void read_image(const ImageSource& source, std::int64_t index, std::span<std::uint8_t> out);

}  // namespace stepwise
