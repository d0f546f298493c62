#include "stepwise/data/views.hpp"

#include <algorithm>
#include <cmath>

#include "stepwise/core/error.hpp"
#include "stepwise/core/random.hpp"

namespace stepwise {
namespace {

/// Where in the image a view lies, and whether it is mirrored.
struct Window {
  std::int64_t top = 0;
  std::int64_t left = 0;
  bool mirrored = false;
};

void check_sizes(std::span<const std::uint8_t> image, const ImageShape& shape, const Standardisation& standardisation,
                 const ImageShape& view, std::span<double> out) {
  const auto affine = std::ssize(standardisation.mean);
  if (std::ssize(image) != shape.size() || std::ssize(out) != view.size() ||
      std::ssize(standardisation.deviation) != affine || (affine != 0 && affine != shape.channels)) {
    fail(ExitCode::internal, "a view of {} numbers made from an image of {} into {} with {} means", view.size(),
         image.size(), out.size(), affine);
  }
}

void copy_window(std::span<const std::uint8_t> image, const ImageShape& shape, const Window& window,
                 const Standardisation& standardisation, const ImageShape& view, std::span<double> out) {
  double* to = out.data();
  for (std::int64_t c = 0; c < view.channels; ++c) {
    const auto channel = static_cast<std::size_t>(c);
    const double mean = standardisation.mean.empty() ? 0 : standardisation.mean[channel];
    const double deviation = standardisation.mean.empty() ? 1 : standardisation.deviation[channel];
    for (std::int64_t y = 0; y < view.height; ++y) {
      const std::uint8_t* from = image.data() + (c * shape.height + window.top + y) * shape.width + window.left;
      for (std::int64_t x = 0; x < view.width; ++x) {
        *to++ = (from[window.mirrored ? view.width - 1 - x : x] - mean) / deviation;
      }
    }
  }
}

}  // namespace

ImageShape view_shape(const ImageShape& image, const ViewOptions& options) {
  const std::int64_t crop = options.crop;
  const std::int64_t largest = std::min(image.height, image.width);
  if (crop < 0 || crop > largest) {
    fail(ExitCode::input,
         "--views.crop is {}, but the images are {} x {} pixels: use 1 to {}, or 0 for the whole image", crop,
         image.height, image.width, largest);
  }
  if (!std::isfinite(options.noise) || options.noise < 0) {
    fail(ExitCode::input, "--views.noise is {}: a standard deviation is finite and not negative; 0 means no noise",
         options.noise);
  }
  if (crop == 0) return image;
  return {image.channels, crop, crop};
}

void make_view(std::span<const std::uint8_t> image, const ImageShape& shape, const ViewOptions& options,
               const Standardisation& standardisation, std::uint64_t seed, std::int64_t index, int view,
               std::span<double> out) {
  const ImageShape cropped = view_shape(shape, options);
  check_sizes(image, shape, standardisation, cropped, out);
  Window window;
  if (options.crop > 0) {
    RandomStream random(seed, Purpose::crop, index, view);
    window.top = random.below(static_cast<std::uint32_t>(shape.height - cropped.height + 1));
    window.left = random.below(static_cast<std::uint32_t>(shape.width - cropped.width + 1));
  }
  window.mirrored = options.flip && RandomStream(seed, Purpose::flip, index, view).below(2) == 1;
  copy_window(image, shape, window, standardisation, cropped, out);
  if (options.noise > 0) {
    RandomStream random(seed, Purpose::noise, index, view);
    for (double& value : out) value += options.noise * random.normal();
  }
}

void make_test_view(std::span<const std::uint8_t> image, const ImageShape& shape, const ViewOptions& options,
                    const Standardisation& standardisation, std::span<double> out) {
  const ImageShape cropped = view_shape(shape, options);
  check_sizes(image, shape, standardisation, cropped, out);
  const Window central{(shape.height - cropped.height) / 2, (shape.width - cropped.width) / 2, false};
  copy_window(image, shape, central, standardisation, cropped, out);
}

}  // namespace stepwise
