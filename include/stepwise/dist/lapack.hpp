#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "stepwise/core/matrix_view.hpp"

namespace stepwise {

// LAPACK on this rank's own small matrices, column-major. All local.
// @throws Error(numerical) when a routine does not converge, Error(memory) when a dimension is beyond its 32 bits.

/// Eigenpairs of a symmetric matrix.
struct SymmetricEigenpairs {
  std::vector<double> values;   ///< n, ascending
  std::vector<double> vectors;  ///< n x n, a column each; empty where they were not asked for
};

/// Of the matrix whose lower triangle is that of `a`, by dsyevd. Cost: about 9 n^3 flops, without vectors 4/3 n^3.
[[nodiscard]] SymmetricEigenpairs symmetric_eigenpairs(MatrixView<const double> a, bool vectors);

/// A = Q R.
struct QrFactors {
  std::vector<double> q;  ///< m x k with orthonormal columns, k = min(m, n); empty where it was not asked for
  std::vector<double> r;  ///< k x n, upper triangular; the diagonal has either sign
};

/// By dgeqrf and dorgqr. Cost: 2 m n^2 flops, with Q twice that.
[[nodiscard]] QrFactors qr_factors(MatrixView<const double> a, bool q);

/// X with A X = B for a symmetric positive definite A (its lower triangle counts), n x n, and B n x m, by dposv;
/// nothing where A is not positive definite. Cost: n^3 / 3 + 2 n^2 m flops.
[[nodiscard]] std::optional<std::vector<double>> solve_positive(MatrixView<const double> a, MatrixView<const double> b);

/// B := R^-T B for an upper triangular R. Cost: n^2 m flops.
void solve_transposed_upper(MatrixView<const double> r, MatrixView<double> b);

/// Singular values, descending, and right singular vectors.
struct SingularValues {
  std::vector<double> values;  ///< min(m, n)
  std::vector<double> vt;      ///< n x n, a right singular vector in each row; empty where they were not asked for
};

/// By dgesvd.
[[nodiscard]] SingularValues singular_values(MatrixView<const double> a, bool vectors);

}  // namespace stepwise
