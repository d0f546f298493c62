#pragma once

#include <string>

#include "machine.hpp"
#include "problem.hpp"
#include "run_config.hpp"
#include "solve_config.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

struct PlanConfig {
  MachineConfig machine;
  std::string sample_shape = "auto";  ///< CxHxW, or a number, where the data are not there
};

/// The settings of solve, and what a plan has beside them.
[[nodiscard]] std::vector<Option> plan_options(PlanConfig& config, SolveConfig& solve);

/// Prints what every method would need on the machine, and which is best. Reads sizes and the
/// first samples. Collective.
void plan(const Communicator& comm, SolveConfig config, const PlanConfig& wanted);

/// What `stepwise solve` would do with these settings, without doing it; refuses what that would refuse. Collective.
void dry_run(const Communicator& comm, SolveConfig config, const RunConfig& run);

/// The run as the model predicts it on this computer, from measurements of some hundredths of a second. Collective.
[[nodiscard]] Estimate estimate_run(const Problem& problem, const std::string& method);

/// "12 s", "2:30 h", "12 days".
[[nodiscard]] std::string time_text(double seconds);

}  // namespace stepwise
