#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/kernel/activation.hpp"

namespace stepwise {

/// Hermite coefficients of z -> phi(sqrt(a_i) z) and phi'(sqrt(a_i) z) for samples with variances a_i:
/// h_k = E[phi(sqrt(a) z) He_k(z)] / sqrt(k!), so that E[phi(u) phi(v)] = sum_k h_k(a) h_k(b) rho^k with the
/// correlation rho of u and v (Mehler).
template <class T>
struct HermiteTable {
  std::int64_t terms = 0;
  std::int64_t count = 0;
  std::vector<T> value;       ///< terms x count: h_k of sample i at k count + i
  std::vector<T> derivative;  ///< the same of phi'

  [[nodiscard]] const T* values(std::int64_t k) const noexcept { return value.data() + k * count; }
  [[nodiscard]] const T* derivatives(std::int64_t k) const noexcept { return derivative.data() + k * count; }
};

/// As many terms as the largest variance needs for rounding accuracy, at most 2048. Cost: about 2000 terms flops a
/// sample.
/// @throws Error(input) when those do not suffice, naming activation and variance.
template <class T>
[[nodiscard]] HermiteTable<T> hermite_table(const ScalarActivation& activation, const std::vector<double>& variances);

}  // namespace stepwise
