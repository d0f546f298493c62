#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/kernel/network.hpp"

namespace stepwise {

/// p' - p of two pixels; with circular padding from 0 up to the image's size.
struct Offset {
  std::int64_t dy = 0;
  std::int64_t dx = 0;
};

/// Convolutions and activations on images of one size, up to a pooling or the readout.
struct ImageStage {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<Layer> layers;  ///< ConvLayer or Activation
  std::int64_t pool = 0;      ///< size of the pooling behind; 0: the readout

  [[nodiscard]] std::int64_t pixels() const noexcept { return height * width; }
  /// How far the widest convolution reaches.
  [[nodiscard]] std::int64_t margin() const;
};

/// A network cut at its poolings and its readout.
struct ImagePlan {
  std::vector<ImageStage> stages;
  std::int64_t channels = 0;
  bool global = false;  ///< the readout averages over all pairs of pixels, not over equal ones
  bool circular = false;
  std::vector<Layer> head;  ///< what works on vectors behind the readout
};

/// `network` must be valid.
[[nodiscard]] ImagePlan plan_images(const Network& network);

/// Which offsets each stage up to `last` has to go through, so that behind `last` all of them are known (`all`), or 0
/// alone: behind the pooling of `last`, or at its readout.
[[nodiscard]] std::vector<std::vector<Offset>> needed_offsets(const ImagePlan& plan, std::size_t last, bool all);

}  // namespace stepwise
