#pragma once

#include "stepwise/core/matrix_view.hpp"

namespace stepwise {

enum class Transpose : char { no = 'N', yes = 'T' };

/// C := alpha op(A) op(B) + beta C on this rank's own matrices; empty ones are fine. Local.
/// @throws Error(memory) when a dimension is beyond the BLAS's 32 bits.
void gemm(double alpha, Transpose op_a, MatrixView<const double> a, Transpose op_b, MatrixView<const double> b,
          double beta, MatrixView<double> c);
void gemm(float alpha, Transpose op_a, MatrixView<const float> a, Transpose op_b, MatrixView<const float> b, float beta,
          MatrixView<float> c);

}  // namespace stepwise
