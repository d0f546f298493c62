#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/core/matrix_view.hpp"

namespace stepwise {

/// Samples ready for kernel evaluation: one column of `features` numbers each, and its squared length.
/// Memory: sizeof(T) (features + 1) count bytes.
template <class T>
struct BasicSamples {
  std::int64_t features = 0;
  std::int64_t count = 0;
  std::vector<T> data;           ///< features x count, column-major
  std::vector<T> squared_norms;  ///< |x_i|^2

  [[nodiscard]] const T* sample(std::int64_t i) const noexcept { return data.data() + i * features; }
};

using Samples = BasicSamples<double>;
using SingleSamples = BasicSamples<float>;

/// Takes the columns of `data`. @throws Error(input) when a squared length is NaN or overflows; with all of
/// them finite every inner product is finite too (Cauchy-Schwarz).
[[nodiscard]] Samples make_samples(std::int64_t features, std::vector<double> data);

/// Rounded to single precision. @throws Error(input) when a squared length is beyond its range.
[[nodiscard]] SingleSamples to_single(const Samples& samples);

}  // namespace stepwise
