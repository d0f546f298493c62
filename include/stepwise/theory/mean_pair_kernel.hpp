#pragma once

#include <cstdint>

#include "stepwise/dist/dist_matrix.hpp"
#include "stepwise/dist/pairing.hpp"
#include "stepwise/kernel/evaluate.hpp"

namespace stepwise {

/// (1/c) trace(B K), the mean of k over all pairs of views of the same thing, which is also the sum of all gamma; for
/// V = 2 (1/n) sum_i k(x_i, x'_i). Collective.
[[nodiscard]] double mean_pair_kernel(const DistMatrix& k, const Pairing& pairing = {});
/// The same from this rank's own samples, n samples over all ranks. Collective. Cost: n V^2 / 2 kernel evaluations.
[[nodiscard]] double mean_pair_kernel(const Kernel& kernel, const Samples& own, std::int64_t samples,
                                      const Communicator& comm, const Pairing& pairing = {});

}  // namespace stepwise
