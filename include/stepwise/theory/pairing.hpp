#pragma once

#include "stepwise/core/matrix_view.hpp"
#include "stepwise/dist/dist_matrix.hpp"
#include "stepwise/kernel/evaluate.hpp"

namespace stepwise {

// P, the swap of the two views, on vectors over the N = 2n samples. Sample 2i is the first view of pair i, 2i + 1 the
// second, and blocks have even size, so both views live on one rank and P moves no data between ranks. P^2 = I.

/// How many samples stand together: the two views of a pair. Block sizes and sample ranges are multiples of it.
inline constexpr std::int64_t views_per_pair = 2;

/// V <- P V: exchanges rows 2i and 2i + 1. Local.
void swap_views(DistMatrix& v);
/// V <- P V on the columns of a block vector's local part: exchanges samples 2i and 2i + 1. Local.
void swap_views(MatrixView<double> v);

/// (1/n) sum_i k(x_i, x'_i), which is also the sum of all gamma. Collective.
[[nodiscard]] double mean_pair_kernel(const DistMatrix& k);
/// The same from this rank's own samples, n samples over all ranks. Collective.
[[nodiscard]] double mean_pair_kernel(const Kernel& kernel, const Samples& own, std::int64_t samples,
                                      const Communicator& comm);

}  // namespace stepwise
