#pragma once

#include <cstdint>
#include <string>

#include "solve_config.hpp"

namespace stepwise {

/// Refuses what the 32-bit integers of ScaLAPACK, ELPA and LAPACK cannot count, before anything is allocated; `purpose`
/// is what the method is for. A pure function, the same on all ranks. @throws CollectiveError(memory) with the smallest
/// number of ranks that works.
void check_sizes(const SolveConfig& config, const std::string& method, std::int64_t samples, std::int64_t features,
                 GridShape grid, const std::string& purpose = "");

}  // namespace stepwise
