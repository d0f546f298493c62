#pragma once

#include <string>

#include "run_config.hpp"
#include "simulate_config.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// Trains a model for real, and lays the theory over it: initial weights -> predicted and measured eigenvalues of C,
/// loss and embeddings at the same times -> one file, which can be read while it grows. Collective. `command` is the
/// command line, for the record.
void simulate(const Communicator& comm, SimulateConfig config, const RunConfig& run, const std::string& command,
              Report& report);

}  // namespace stepwise
