#pragma once

#include <algorithm>
#include <vector>

#include "stepwise/dist/gemm.hpp"
#include "stepwise/sim/matrix_model.hpp"

namespace stepwise {

inline std::size_t numbers(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows * cols);
}

/// a <- factor (a + a^T) / 2
inline void symmetrise(double factor, MatrixView<double> a) {
  for (std::int64_t j = 0; j < a.cols; ++j) {
    for (std::int64_t i = 0; i <= j; ++i) a(i, j) = a(j, i) = factor * (a(i, j) + a(j, i)) / 2;
  }
}

/// What is summed over the ranks in one go: C, the covariance where it is wanted, and `rest` numbers more.
struct MomentSums {
  MomentSums(std::int64_t outputs, bool with_covariance, std::int64_t rest)
      : d(outputs), covariance(with_covariance), data(numbers(d, d) * (covariance ? 2 : 1) + numbers(rest, 1)) {}

  [[nodiscard]] MatrixView<double> c() { return {data.data(), d, d, d}; }
  [[nodiscard]] MatrixView<double> f2() { return {data.data() + numbers(d, d), d, d, d}; }
  [[nodiscard]] double* rest() { return data.data() + numbers(d, d) * (covariance ? 2 : 1); }
  void clear() { std::fill(data.begin(), data.end(), 0.0); }
  /// Adds what some samples contribute, f and B f given.
  void add(MatrixView<const double> f, MatrixView<const double> bf) {
    gemm(1, Transpose::no, f, Transpose::yes, bf, 1, c());
    if (covariance) gemm(1, Transpose::no, f, Transpose::yes, f, 1, f2());
  }
  /// C divided by `norm`, the covariance by `samples`.
  [[nodiscard]] Moments moments(double norm, double samples) {
    symmetrise(1 / norm, c());
    if (covariance) symmetrise(1 / samples, f2());
    const auto size = static_cast<std::ptrdiff_t>(numbers(d, d));
    return {{data.begin(), data.begin() + size},
            covariance ? std::vector<double>(data.begin() + size, data.begin() + 2 * size) : std::vector<double>()};
  }

  std::int64_t d;
  bool covariance;
  std::vector<double> data;
};

}  // namespace stepwise
