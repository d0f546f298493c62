#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/kernel/kernel.hpp"

// Element-wise work on one column of a tile, written for vector units. The source file is compiled with -ffast-math so
// that the compiler calls the vector versions of exp, sqrt and atan2: nothing here may rely on NaN or Inf.

namespace stepwise {

/// Rows handled at once, so that all arrays of a column stay in the first-level cache.
inline constexpr std::int64_t column_chunk = 256;

/// values[i] <- exp(-values[i] / (2 l^2)), values being squared distances.
void gaussian_column(std::int64_t count, double length_scale, double* values);
void gaussian_column(std::int64_t count, double length_scale, float* values);

/// values[i] <- exp(-sqrt(values[i]) / l).
void laplace_column(std::int64_t count, double length_scale, double* values);
void laplace_column(std::int64_t count, double length_scale, float* values);

/// Lengths of signals in a ReLU network: after affine layer l, for each sample, l-major. They depend on the sample
/// alone.
template <class T>
struct SignalLengths {
  SignalLengths(const ReluNetwork& network, const T* squared_norms, std::int64_t count, std::int64_t features);

  [[nodiscard]] const T* input() const noexcept { return lengths.data(); }
  [[nodiscard]] const T* after(std::size_t layer) const noexcept {
    return lengths.data() + (static_cast<std::int64_t>(layer) + 1) * count;
  }

  std::int64_t count;
  std::vector<T> lengths;  ///< (layers + 1) x count: |x| / sqrt(m), then sqrt of the diagonal after each affine layer
};

/// What the network recursion needs of the pairs (x_i, y), i in a chunk, at the input:
/// with u = |x|/sqrt(m), v = |y|/sqrt(m), c = x.y/m.
template <class T>
struct PairColumn {
  T minus[column_chunk];  ///< 2 (u v - c) = |x - y|^2/m - (u - v)^2
  T plus[column_chunk];   ///< 2 (u v + c)
  T gap[column_chunk];    ///< u^2 - v^2; used only where a layer has a bias
};

/// Kernel of one column chunk, in the variables of PairColumn, which no step of the recursion takes a difference of:
/// near-duplicates, collinear and antipodal pairs keep full relative accuracy (docs/kernels.md). `pairs` is used up.
/// `first` is the chunk's first row in `rows`, `col` the column in `cols`.
template <class T>
void relu_network_column(const ReluNetwork& network, const SignalLengths<T>& rows, std::int64_t first,
                         std::int64_t count, const SignalLengths<T>& cols, std::int64_t col, PairColumn<T>& pairs,
                         T* out);

}  // namespace stepwise
