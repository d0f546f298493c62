#pragma once

#include <cstdint>

namespace stepwise {

/// Rows handled at once, so that all arrays of a column stay in the first-level cache.
inline constexpr std::int64_t column_chunk = 256;

/// What the network recursion keeps of pairs of signals of lengths r_i and s_i and inner product c:
/// no step takes a difference of these, so near-duplicates, collinear and antipodal pairs keep full relative accuracy
/// (docs/kernels.md).
template <class T>
struct PairColumn {
  T minus[column_chunk];  ///< 2 (r s - c) = |u - v|^2 - (r - s)^2
  T plus[column_chunk];   ///< 2 (r s + c)
  T gap[column_chunk];    ///< r^2 - s^2
  T ntk[column_chunk];
};

/// Lengths of the signals of these pairs before and after an activation.
template <class T>
struct PairLengths {
  const T* r;
  const T* s;
  const T* r_after;
  const T* s_after;
};

}  // namespace stepwise
