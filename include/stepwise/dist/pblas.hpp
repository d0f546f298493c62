#pragma once

#include <cstdint>

#include "stepwise/dist/dist_matrix.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {

// Operations on whole distributed matrices; all are collective, all matrices share one grid and one block size.
// Shapes are checked on every rank before any communication. @throws Error(internal) on every rank alike.

/// C := alpha op(A) op(B). C is m x n, op(A) m x k, op(B) k x n. 2 m n k flops.
void multiply(double alpha, Transpose op_a, const DistMatrix& a, Transpose op_b, const DistMatrix& b, DistMatrix& c);

/// Lower triangle of C := alpha L^T B, for n x n matrices, L lower triangular with zeros above. What stands above the
/// diagonal of C is not the product's. About n^3 / 3 flops.
void multiply_lower_transposed(double alpha, const DistMatrix& l, const DistMatrix& b, DistMatrix& c);

/// Overwrites the upper triangle of a square matrix with the transpose of the lower one, so that a is symmetric to the
/// bit. Every element crosses the network once; memory beyond a: one panel of block columns.
void mirror_lower(DistMatrix& a);

/// A = L L^T. On return the lower triangle of `a` holds L and the upper one zeros. n^3 / 3 flops.
/// Returns 0, or the order of the leading minor that is not positive definite (then `a` is destroyed).
/// Same value on every rank.
[[nodiscard]] std::int64_t cholesky(DistMatrix& a);

}  // namespace stepwise
