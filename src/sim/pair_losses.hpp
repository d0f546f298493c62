#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/sim/pair_loss.hpp"

// The losses one by one; what they have in common.

namespace stepwise {

/// Embeddings of a batch, this rank's.
struct PairBatch {
  MatrixView<const double> f;
  const Pairing& pairing;
  const Communicator& comm;
};

/// N. Collective.
[[nodiscard]] std::int64_t total_samples(const PairBatch& batch);
/// F B, column-major. Local.
[[nodiscard]] std::vector<double> paired(const PairBatch& batch);

/// Each of these is evaluate() for one loss.
[[nodiscard]] double barlow_twins(const BarlowTwins& loss, const PairBatch& batch, MatrixView<double> gradient);
[[nodiscard]] double vicreg(const VicReg& loss, const PairBatch& batch, MatrixView<double> gradient);
[[nodiscard]] double sim_clr(const SimClr& loss, const PairBatch& batch, MatrixView<double> gradient);

}  // namespace stepwise
