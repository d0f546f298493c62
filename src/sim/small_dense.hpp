#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/core/matrix_view.hpp"

namespace stepwise {

/// Eigenvalues, ascending, and the matching eigenvectors (columns) of a symmetric matrix.
struct SmallSpectrum {
  std::vector<double> values;
  std::vector<double> vectors;  ///< empty where they were not asked for
};

/// LAPACK's dsyev on this rank. NaN in, NaN out. @throws Error(numerical) when it fails.
[[nodiscard]] SmallSpectrum small_spectrum(MatrixView<const double> a, bool vectors);

/// A^{-1} B for a symmetric positive definite A, n x n both, column-major; NaN when A is not. Local.
[[nodiscard]] std::vector<double> solve_positive(std::vector<double> a, std::vector<double> b, std::int64_t n);

}  // namespace stepwise
