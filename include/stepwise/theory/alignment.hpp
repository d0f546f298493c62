#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/core/matrix_view.hpp"
#include "stepwise/theory/embedding.hpp"

namespace stepwise {

/// Where training starts, seen in the modes: W(0) G = U S(0) R' with R' unit upper triangular, G = [g_1 .. g_d].
struct InitialCondition {
  std::vector<double> s0;  ///< d: s_j(0) >= 0, to be used in trajectory() and timescale()
  std::vector<double>
      u;  ///< d x d orthogonal, column-major: rotates the final embedding to f(x,t) = U S(t) A^T k(x) (eq. 40)
};

/// align(M) of Def. 4.5: M = Q R with the diagonal of R made non-negative; returns U = Q and s0 = diag(R). M is d x d.
/// @throws Error(internal) when M is not square.
[[nodiscard]] InitialCondition align(MatrixView<const double> m);

/// From the outputs f_0 of the untrained model on the training samples, dealt out like embedding.dual: align(F_0 A)
/// (eq. 42 in dual form, K^{+1/2} b_j = a_j). Collective. Cost 2 N d^2 flops. Equals align(W(0) G) (eq. 41) for a
/// linear model.
[[nodiscard]] InitialCondition align_outputs(const BlockVector& f0, const Embedding& embedding,
                                             const Communicator& comm);

}  // namespace stepwise
