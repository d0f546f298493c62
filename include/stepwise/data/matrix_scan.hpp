#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/data/stored_matrix.hpp"

namespace stepwise {

/// What a look at all entries of a stored kernel matrix shows.
struct MatrixScan {
  double largest = 0;    ///< max |k_ij|
  double trace = 0;      ///< sum of k_ii
  double asymmetry = 0;  ///< max |k_ij - k_ji|, of this pair:
  std::int64_t row = 0;
  std::int64_t col = 0;
  double above = 0;  ///< k_ij, i < j
  double below = 0;  ///< k_ji
};

/// Looks at the rows and columns in `used`, at part `part` of `parts` of them. Local.
/// @throws Error(input) for NaN or Inf, naming row and column; (io) when reading fails. Memory: 4 MiB.
[[nodiscard]] MatrixScan scan_kernel(const StoredMatrix& matrix, const std::vector<Range>& used, std::int64_t part,
                                     std::int64_t parts);

/// The same for finite numbers alone, in any matrix.
void require_finite(const StoredMatrix& matrix, Range rows, const std::vector<Range>& cols, std::int64_t part,
                    std::int64_t parts);

}  // namespace stepwise
