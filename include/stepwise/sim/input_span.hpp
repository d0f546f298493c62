#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/core/matrix_view.hpp"
#include "stepwise/sim/perceptron.hpp"

namespace stepwise {

/// An orthonormal basis Q (m x r) of the span of fewer samples than they have numbers.
///
/// Gradients of the first layer's weights lie in that span, so a network trained on Q^T x with first weights Q^T W_1
/// does what the one on x does, r / m times cheaper: outputs, tangent kernel and the weights' way from their start are
/// the same. Not with weight decay or LARS, which see the rest of W_1 too.
struct InputSpan {
  std::int64_t inputs = 0;    ///< m
  std::vector<double> basis;  ///< Q, column-major

  [[nodiscard]] std::int64_t dimensions() const noexcept { return std::ssize(basis) / inputs; }
  [[nodiscard]] MatrixView<const double> view() const noexcept { return {basis.data(), inputs, dimensions(), inputs}; }
};

/// Of the columns of `x` (m x n, n <= m), by Householder's QR factorisation. Local. Cost: 4 m n^2 flops.
/// @throws Error(numerical) when LAPACK fails.
[[nodiscard]] InputSpan input_span(MatrixView<const double> x);

/// Q^T x, r x n column-major. Local.
[[nodiscard]] std::vector<double> coordinates(const InputSpan& span, MatrixView<const double> x);

/// W_1 <- Q^T W_1 of a network with a hidden layer. Local.
void confine(TrainedNetwork& network, const InputSpan& span);

}  // namespace stepwise
