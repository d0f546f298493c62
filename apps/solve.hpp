#pragma once

#include <string>

#include "run_config.hpp"
#include "solve_config.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// The main job: positive pairs -> kernel matrix -> modes -> timescales, trajectories, embeddings -> one file.
/// Collective. `command` is the command line, for the record.
void solve(const Communicator& comm, SolveConfig config, const RunConfig& run, const std::string& command,
           Report& report);

}  // namespace stepwise
