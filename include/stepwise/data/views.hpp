#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stepwise/data/images.hpp"

namespace stepwise {

/// How a view is made from an image.
struct ViewOptions {
  std::int64_t crop = 0;  ///< side of a square crop at a uniform random place, in pixels; 0: the whole image
  bool flip = false;      ///< mirror left-right with probability 1/2
  double noise = 0;       ///< standard deviation of Gaussian noise added after standardisation
};

/// Per-channel affine map (x - mean) / deviation; both empty: identity. A constant channel has deviation 1.
struct Standardisation {
  std::vector<double> mean;
  std::vector<double> deviation;
  friend bool operator==(const Standardisation&, const Standardisation&) = default;
};

/// Shape of a view. @throws Error(input) when the crop is larger than the image, or an option is out of range.
[[nodiscard]] ImageShape view_shape(const ImageShape& image, const ViewOptions& options);

/// View 0, 1, 2, ... of training image `index`: crop, flip, standardise, add noise. A function of (seed, index, view)
/// alone. Crop, flip and noise draw from streams of their own, so switching one on leaves the others as they are.
void make_view(std::span<const std::uint8_t> image, const ImageShape& shape, const ViewOptions& options,
               const Standardisation& standardisation, std::uint64_t seed, std::int64_t index, int view,
               std::span<double> out);

/// The view of a test image: central crop (the upper left of the two central ones when odd), standardised;
/// no flip, no noise, nothing random.
void make_test_view(std::span<const std::uint8_t> image, const ImageShape& shape, const ViewOptions& options,
                    const Standardisation& standardisation, std::span<double> out);

}  // namespace stepwise
