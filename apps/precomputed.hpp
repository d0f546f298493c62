#pragma once

#include "problem.hpp"
#include "solve_config.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/dist/communicator.hpp"
#include "stepwise/kernel/kernel.hpp"

namespace stepwise {

/// What options of a precomputed kernel must agree on; for other kernels that these options are left out.
/// @throws Error(input).
void check_precomputed_options(const SolveConfig& config);

/// Opens the stored matrices and resolves "auto" about them. Local. @throws Error(input).
[[nodiscard]] IndexPairs open_index_pairs(SolveConfig& config);

[[nodiscard]] PrecomputedKernel stored_kernel(const IndexPairs& pairs);

/// Looks at every number that will be used, each rank at its share: finite, and symmetric to
/// --kernel.symmetry-tolerance. Returns the trace. Collective. @throws CollectiveError(input) naming file and entry.
/// Cost: reads the matrix once.
[[nodiscard]] double check_stored_kernel(const Communicator& comm, const SolveConfig& config, const IndexPairs& pairs);

/// Standardises the samples where that is asked for, and checks a stored kernel. Collective. @throws CollectiveError.
void make_ready(const Communicator& comm, const SolveConfig& config, PairSource& pairs, Problem& problem,
                Report& report);

}  // namespace stepwise
