#pragma once

#include <memory>

#include "stepwise/core/timing.hpp"
#include "stepwise/dist/dist_matrix.hpp"
#include "stepwise/kernel/evaluate.hpp"

namespace stepwise {

/// The n x n kernel matrix of n samples, symmetric to the bit: the lower triangle is evaluated, the upper one mirrored.
/// `row_samples` and `col_samples` hold the samples of this rank's local rows and columns, in local order.
/// Collective. @throws CollectiveError(memory), (stopped).
/// Cost: m n^2 flops over all ranks plus the kernel's own, then one exchange of n^2 / 2 numbers.
/// Memory per rank: one local matrix, and 64 KiB to 1 MiB a thread.
[[nodiscard]] DistMatrix assemble(const Kernel& kernel, const Samples& row_samples, const Samples& col_samples,
                                  const std::shared_ptr<const ProcessGrid>& grid, std::int64_t n, std::int64_t block,
                                  const Progress& progress);

}  // namespace stepwise
