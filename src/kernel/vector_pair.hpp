#pragma once

#include <algorithm>
#include <limits>
#include <numbers>

#include "kernel/vector_clones.hpp"

namespace stepwise {

// Every map below takes one pair of signals of lengths r, s: a = r^2, b = s^2, c = (plus - minus) / 4 and
// |u - v|^2 = minus + (r - s)^2. Subtractions are between numbers that stay apart, or of terms that are exact.

template <class T>
inline constexpr T pi = std::numbers::pi_v<T>;
template <class T>
inline constexpr T tiny = std::numeric_limits<T>::min() * 1000;

template <class T>
struct Pair {
  T minus;
  T plus;
  T gap;
  T ntk;  ///< factor of the NTK
};

template <class T>
STEPWISE_VECTOR_BODY T square(T x) {
  return x * x;
}

/// The pair of signals of lengths r, s at this distance.
template <class T>
STEPWISE_VECTOR_BODY Pair<T> from_distance(T distance, T gap, T r, T s, T ntk) {
  const T minus = std::max(distance - square(gap / (r + s + tiny<T>)), T(0));
  return {minus, std::max(4 * r * s - minus, T(0)), gap, ntk};
}

}  // namespace stepwise
