#pragma once

#include <cstdint>
#include <type_traits>

namespace stepwise {

/// A column-major matrix somewhere in memory, not owned: element (i, j) is data[i + j * stride].
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;

  [[nodiscard]] T& operator()(std::int64_t i, std::int64_t j) const noexcept { return data[i + j * stride]; }
  [[nodiscard]] T* column(std::int64_t j) const noexcept { return data + j * stride; }

  /// The block of `r` rows and `c` columns whose upper left element is (i, j).
  [[nodiscard]] MatrixView block(std::int64_t i, std::int64_t j, std::int64_t r, std::int64_t c) const noexcept {
    return {data + i + j * stride, r, c, stride};
  }

  // NOLINTNEXTLINE(google-explicit-constructor): a mutable view is a read-only view
  operator MatrixView<const T>() const noexcept requires(!std::is_const_v<T>) { return {data, rows, cols, stride}; }
};

}  // namespace stepwise
