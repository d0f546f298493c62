#pragma once

#include <memory>
#include <optional>

#include "checkpoint.hpp"
#include "problem.hpp"

namespace stepwise {

/// A problem whose kernel matrix is read from tiles on disk, in place of being evaluated.
struct KeptKernel {
  std::unique_ptr<const PairSource> rows;
  Problem problem;
};

/// Evaluates the kernel matrix into the checkpoint, or what of it an earlier run has not got to; nothing where it is
/// not worth that: evaluating it takes less than the time between two checkpoints. Collective. @throws CollectiveError,
/// (stopped) with the tiles made so far kept. Memory per rank: as make_tiles().
[[nodiscard]] std::optional<KeptKernel> keep_kernel(const Problem& problem, Checkpoint& checkpoint, Report& report);

}  // namespace stepwise
