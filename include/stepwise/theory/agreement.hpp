#pragma once

#include "stepwise/theory/contrastive.hpp"

namespace stepwise {

/// How far two sets of modes of the same problem are apart.
struct Disagreement {
  double gamma = 0;  ///< max_j |gamma_j - gamma'_j| / gamma_1
  double angle = 0;  ///< largest principal angle between the two spans of dual vectors in the K inner product, radians
};

/// Compares the d modes of both. The angle is ill-defined when gamma_d = gamma_{d+1}, and otherwise about the residual
/// times gamma_1 / (gamma_d - gamma_{d+1}). Collective. Cost 6 N d^2 flops.
[[nodiscard]] Disagreement compare(const ContrastiveModes& a, const ContrastiveModes& b, const Communicator& comm);

}  // namespace stepwise
