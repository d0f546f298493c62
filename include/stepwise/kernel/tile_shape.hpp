#pragma once

#include <cstdint>

#include "stepwise/kernel/kernel.hpp"

namespace stepwise {

/// How much of the matrix is evaluated at once.
struct TileShape {
  std::int64_t rows;
  std::int64_t cols;
  std::int64_t diagonal;  ///< rows and columns of tiles on the diagonal, of which half is not needed; divides `rows`
};

/// Large enough that BLAS spends its time on products and not on packing; where an entry itself costs microseconds
/// (flatten) or milliseconds (gap), small enough to be shared out evenly, and for progress. Measured,
/// docs/performance.md.
[[nodiscard]] TileShape tile_shape(const Kernel& kernel);

}  // namespace stepwise
