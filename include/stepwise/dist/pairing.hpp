#pragma once

#include <cstdint>

#include "stepwise/core/matrix_view.hpp"
#include "stepwise/dist/dist_matrix.hpp"

namespace stepwise {

/// Which samples are views of the same thing: n groups of V, N = nV samples numbered group by group, sample Vi + v
/// being view v of group i. For V = 2 the groups are the paper's pairs.
///
/// B = (ones within a group) - identity stands where the paper has P: for two views it is P, their swap. In general
/// Gamma = (1/c) Phi^T B Phi = (1/(n V (V-1))) sum_i sum_{v != w} phi(x_i^v) phi(x_i^w)^T with c = N (V - 1). B is
/// symmetric, with eigenvalues V - 1 (n times) and -1: at most n modes are positive. Only for V = 2 it is its own
/// inverse. Blocks and sample ranges are multiples of V, so a group lives on one rank and B moves no data.
struct Pairing {
  std::int64_t views = 2;  ///< V

  /// c = N (V - 1).
  [[nodiscard]] double norm(std::int64_t samples) const noexcept {
    return static_cast<double>(samples) * static_cast<double>(views - 1);
  }
  friend bool operator==(const Pairing&, const Pairing&) = default;
};

/// V <- B V. Local. Cost: 2 numbers read and written per entry.
void apply_pairing(const Pairing& pairing, DistMatrix& v);
/// V <- B V on the columns of a block vector's local part, one column per sample. Local.
void apply_pairing(const Pairing& pairing, MatrixView<double> v);

}  // namespace stepwise
