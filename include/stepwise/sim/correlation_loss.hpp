#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/core/matrix_view.hpp"

namespace stepwise {

/// A loss of the eigenvalues lambda_j of C alone, sum_j l(lambda_j), smallest at C = I.
enum class Shaping {
  plain,      ///< (1 - l)^2: ||C - I||_F^2 (eq. 1 of arXiv 2303.15438); the others are of its App. G
  sharpened,  ///< (1 - g(l))^2, g(l) = sign(l) sqrt|l|: small eigenvalues grow at a constant rate, not exponentially
  smoothed,   ///< (1 - min(l, 1 + epsilon (1 - l)))^2: what is beyond 1 is pulled back epsilon^2 times as hard
  quartic,    ///< (1 - l)^4
};

/// The derivative of the sharpened loss diverges at 0, where a gradient is still wanted: eigenvalues of C below
/// delta = 2^-52 are rounding beside those that are learned, so g(l) = l / (l^2 + delta^2)^(1/4), smooth everywhere and
/// equal to sign(l) sqrt|l| beyond.
struct CorrelationLoss {
  Shaping shaping = Shaping::plain;
  double epsilon = 0;  ///< of smoothed, at least 0
};

struct LossOfC {
  double loss = 0;
  std::vector<double> gradient;  ///< dL/dC = U diag(l'(lambda)) U^T, d x d column-major
};

/// Loss and gradient at a symmetric d x d matrix; plain and quartic by products, the others by eigenvectors. NaN where
/// C has NaN. Pure. Cost: 2 d^3 flops or about 9 d^3. @throws Error(numerical) when LAPACK's dsyev fails.
[[nodiscard]] LossOfC evaluate(const CorrelationLoss& loss, MatrixView<const double> c);

/// The eigenvalues of a symmetric d x d matrix, descending; NaN where it has NaN. Pure.
/// @throws Error(numerical) when LAPACK's dsyev fails.
[[nodiscard]] std::vector<double> spectrum(MatrixView<const double> c);

}  // namespace stepwise
