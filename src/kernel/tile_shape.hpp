#pragma once

#include <cstdint>
#include <variant>

#include "stepwise/kernel/kernel.hpp"

namespace stepwise {

/// How much of the matrix is evaluated at once.
struct TileShape {
  std::int64_t rows;
  std::int64_t cols;
  std::int64_t diagonal;  ///< rows and columns of tiles on the diagonal, of which half is not needed
};

/// Measured, docs/performance.md. Large enough that BLAS spends its time on products and not on packing; where an entry
/// itself costs microseconds (flatten) or milliseconds (gap), small enough to be shared out evenly, and for progress.
inline TileShape tile_shape(const Kernel& kernel) {
  const auto* network = std::get_if<Network>(&kernel);
  if (network == nullptr || !has_image_layers(*network)) return {512, 1024, 128};
  for (const Layer& layer : network->layers) {
    if (std::holds_alternative<GlobalAverage>(layer)) return {64, 64, 64};
  }
  return {256, 256, 64};
}

}  // namespace stepwise
