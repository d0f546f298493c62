#pragma once

#include <string>

#include "problem.hpp"
#include "run_config.hpp"
#include "solve_config.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// Refuses what cannot work out: sizes, memory. Collective. @throws CollectiveError(input), (memory).
void check_problem(const Problem& problem, const std::string& method);

/// The main job: positive pairs -> kernel matrix -> modes -> timescales, trajectories, embeddings -> one file.
/// Collective. `command` is the command line, for the record.
void solve(const Communicator& comm, SolveConfig config, const RunConfig& run, const std::string& command,
           Report& report);

}  // namespace stepwise
