#include "dynamics_run.hpp"

#include <fmt/format.h>

#include "stepwise/sim/flow.hpp"

namespace stepwise {
namespace {

/// Which columns of the whole state are this rank's, and how many there are.
std::pair<Range, std::int64_t> share_of(const DynamicsRun& run) {
  const Communicator& comm = *run.dynamics.comm;
  const std::int64_t columns = run.dynamics.columns;
  std::int64_t first = 0;
  MPI_Exscan(&columns, &first, 1, MPI_INT64_T, MPI_SUM, comm.raw());
  if (comm.rank() == 0) first = 0;
  return {{first, first + columns}, sum(comm, columns)};
}

void save(const DynamicsRun& run, CheckpointWriter& writer) {
  const Training& training = run.training;
  writer.counts("/training/steps", std::vector<std::int64_t>{training.steps});
  writer.numbers("/training/numbers",
                 std::vector<double>{training.time, training.step_size, training.start_loss.value_or(-1)});
  if (run.shared) {
    writer.numbers("/training/x", training.x);
  } else {
    const auto [own, all] = share_of(run);
    writer.rows("/training/x", all, own, run.state());
  }
}

void load(DynamicsRun& run, CheckpointReader& reader) {
  Training& training = run.training;
  training.steps = reader.counts("/training/steps").at(0);
  const std::vector<double> numbers = reader.numbers("/training/numbers");
  training.time = numbers.at(0);
  training.step_size = numbers.at(1);
  if (numbers.at(2) >= 0) training.start_loss = numbers.at(2);
  if (run.shared) {
    training.x = reader.numbers("/training/x");
  } else {
    reader.rows("/training/x", share_of(run).first,
                {training.x.data(), run.dynamics.outputs, run.dynamics.columns, run.dynamics.outputs});
  }
}

Advance descend_towards(DynamicsRun& run, double rate, const Moment& end) {
  if (run.training.steps >= end.step) return {};
  const Outcome outcome = descend(run.dynamics, rate, 1, run.training);
  return {outcome.diverged ? Way::diverged : Way::under_way, outcome.loss};
}

Advance flow_towards(DynamicsRun& run, double tolerance, const Moment& end) {
  constexpr std::int64_t steps_a_turn = 8;  // each turn costs one velocity more
  if (run.training.time >= end.time) return {};
  const Outcome outcome = flow(run.dynamics, tolerance, end.time, run.training, steps_a_turn);
  return {outcome.diverged ? Way::diverged : Way::under_way, outcome.loss};
}

}  // namespace

Simulation simulation_of(const std::shared_ptr<DynamicsRun>& run, const SimulateConfig& config,
                         const std::optional<double>& rate) {
  Simulation simulation;
  simulation.name = "training";
  simulation.now = [run] { return Moment{run->training.steps, run->training.time}; };
  simulation.advance = [run, rate, tolerance = config.training.tolerance](const Moment& end) {
    return rate ? descend_towards(*run, *rate, end) : flow_towards(*run, tolerance, end);
  };
  simulation.save = [run](CheckpointWriter& writer) { save(*run, writer); };
  simulation.load = [run](CheckpointReader& reader) { load(*run, reader); };
  return simulation;
}

std::string divergence_advice(const SimulateConfig& config, const std::optional<double>& rate, double stable,
                              const std::string& formula) {
  if (!rate) return fmt::format("--training.tolerance is {:.3g}: choose a smaller one", config.training.tolerance);
  return fmt::format("--training.rate is {:.6g}, the largest stable one is {} = {:.6g}", *rate, formula, stable);
}

}  // namespace stepwise
