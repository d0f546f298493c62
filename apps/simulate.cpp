#include "simulate.hpp"

#include <fmt/format.h>

#include "complete.hpp"
#include "open_data.hpp"
#include "precomputed.hpp"
#include "size_limits.hpp"
#include "stepwise/cli/time_limit.hpp"
#include "stepwise/dist/agree.hpp"
#include "study.hpp"

namespace stepwise {
namespace {

/// Refuses what would not fit beside the kernel and the modes. Collective.
void check_training_memory(const Communicator& comm, const SimulateConfig& config, const Problem& problem) {
  const auto samples = static_cast<double>(problem.samples);
  const auto ranks = static_cast<double>(comm.size());
  const auto d = static_cast<double>(*config.problem.modes);
  const auto m = static_cast<double>(problem.features);
  const bool linear = config.model == "linear";
  const double states = config.training.method == "flow" ? 10 : 3;
  const std::string& storage = config.problem.kernel.storage;
  const double entries =
      linear || storage == "none" ? 0 : samples * samples / 2 / ranks * (storage == "double" ? 1 : 0.5);
  const double numbers = entries + 2 * samples * m / ranks + states * d * (linear ? m : samples / ranks);
  check_map_memory(comm, numbers,
                   fmt::format("--data.pairs {} ({} samples) and --modes {}: --model {}{}", *config.problem.data.pairs,
                               problem.samples, *config.problem.modes, config.model,
                               linear ? "" : " with --kernel.storage " + storage));
}

Work work_of(const SimulateConfig& config, const Problem* problem) {
  const std::string what =
      problem == nullptr ? "" : fmt::format(" of {} samples of {} numbers", problem->samples, problem->features);
  return {fmt::format("model {}{}, {} outputs, by {}, seed {}", config.model, what, *config.problem.modes,
                      config.training.method, config.problem.seed),
          problem == nullptr ? "" : problem->convention};
}

}  // namespace

void simulate(const Communicator& comm, SimulateConfig config, const RunConfig& run, const std::string& command,
              Report& report) {
  TimeLimit limit(comm, comm.rank() == 0 ? wall_time(run) : std::nullopt);
  SolveConfig& given = config.problem;
  const bool restarting = !run.restart.empty();
  const auto check = [&] {
    const std::vector<std::string> inputs{given.data.path, given.kernel.path, given.kernel.test_path};
    restarting ? check_output(comm, given.output, given.force, inputs)
               : check_series_output(comm, given.output, given.force, inputs);
  };
  if (!restarting) check();
  const bool has_data = config.model != "modes";
  std::optional<PairSource> pairs;
  std::optional<Problem> problem;
  std::string method;
  std::string checksum;
  if (has_data) {
    pairs = report.stage("open data", 0, [&](const auto&) { return attempt(comm, [&] { return open_pairs(given); }); });
    problem.emplace(pose(comm, given, *pairs));
    method = config.model == "supervised" ? "spectral"  // all eigenvectors of K
                                          : choose_method(given, problem->samples, problem->features);
    check_sizes(given, method, problem->samples, problem->features, problem->grid->shape());
    check_memory(comm, given, method, problem->layout, problem->features);
    check_training_memory(comm, config, *problem);
    checksum = report.stage("checksum", 0, [&](const auto&) { return inputs_checksum(comm, *pairs); });
  }
  const std::string convention = has_data ? problem->convention : "";
  const bool complete = restarting && is_complete(comm, config, checksum);
  if (restarting && !complete) check();
  Checkpoint checkpoint(comm, run, given.output, training_settings(config, convention, checksum), limit, report);
  if (complete) {
    report.note(fmt::format("{} is there already, with these settings: nothing to do", given.output));
    checkpoint.remove();
    return;
  }
  report.start(work_of(config, problem ? &*problem : nullptr));
  if (has_data) make_ready(comm, given, *pairs, *problem, report);
  const Study study{
      comm,   config,  command, checkpoint, report, given.force || restarting, problem ? &*problem : nullptr,
      method, checksum};
  try {
    if (config.model == "modes") {
      simulate_system(study);
    } else if (config.model == "widths") {
      simulate_widths(study);
    } else if (config.model == "supervised") {
      simulate_supervised(study);
    } else if (config.model == "network") {
      simulate_network(study);
    } else {
      simulate_correlation(study);
    }
  } catch (const CollectiveError& error) {
    if (error.code() != ExitCode::stopped) throw;
    throw CollectiveError(ExitCode::stopped, checkpoint.farewell(command));
  }
}

}  // namespace stepwise
