#pragma once

#include "stepwise/core/matrix_view.hpp"

namespace stepwise {

// Products of one stored tile of a symmetric matrix with few vectors, one vector a column. Where the processor has
// AVX-512, double precision is multiplied without packing: OpenBLAS packs the tile first, which costs as much as a
// product with ten vectors (docs/performance.md). Elsewhere, and in single precision, BLAS does it.

/// y += K v. Local.
void multiply_tile(MatrixView<const double> k, MatrixView<const double> v, MatrixView<double> y);
void multiply_tile(MatrixView<const float> k, MatrixView<const float> v, MatrixView<float> y);

/// For both places of the tile: y += K v and back += K^T w. Local. A tile should fit the second cache.
void multiply_tile_twice(MatrixView<const double> k, MatrixView<const double> v, MatrixView<double> y,
                         MatrixView<const double> w, MatrixView<double> back);
void multiply_tile_twice(MatrixView<const float> k, MatrixView<const float> v, MatrixView<float> y,
                         MatrixView<const float> w, MatrixView<float> back);

}  // namespace stepwise
