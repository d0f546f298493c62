#include "network_start.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "network_config.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

std::int64_t group_count(const Problem& problem) {
  return problem.samples / problem.pairing.views;
}

/// Pairs in a batch.
std::int64_t batch_of(const SimulateConfig& config, const Problem& problem) {
  const std::int64_t groups = group_count(problem);
  return config.network.batch == 0 ? groups : std::min(groups, config.network.batch);
}

std::int64_t batch_size(const SimulateConfig& config, const Problem& problem, const PairLoss& loss) {
  const std::int64_t groups = group_count(problem);
  if (config.network.batch > groups) {
    fail(ExitCode::input, "--training.batch is {}, but there are {} pairs: leave it out for all of them",
         config.network.batch, groups);
  }
  const std::int64_t batch = batch_of(config, problem);
  if (batch < fewest_groups(loss)) {
    fail(ExitCode::input, "{} pairs in a batch are too few for --training.loss {}: it compares pairs, give at least {}",
         batch, config.training.loss, fewest_groups(loss));
  }
  return batch;
}

/// Ranks of the grid along the width. All, where gradients are more numbers than the signals that travel instead.
int width_ranks(const SimulateConfig& config, const Problem& problem, const FullyConnected& of) {
  if (config.network.width_ranks) return static_cast<int>(*config.network.width_ranks);
  const auto affine = static_cast<double>(of.layers.layers.size() / 2);  // hidden layers
  const auto width = static_cast<double>(of.width);
  const auto outputs = static_cast<double>(of.outputs);
  const double signals =
      static_cast<double>(batch_of(config, problem) * problem.pairing.views) * (2 * (affine - 1) * width + outputs);
  const double gradients = width * (static_cast<double>(of.inputs) + (affine - 1) * width + outputs);
  return affine > 0 && signals < gradients && problem.comm.size() <= of.width ? problem.comm.size() : 1;
}

NetworkSamples columns_of(Samples samples) {
  return {samples.features, std::move(samples.data)};
}

NetworkSamples within(const InputSpan& span, const NetworkSamples& samples) {
  return {span.dimensions(), coordinates(span, samples.view())};
}

}  // namespace

FullyConnected network_of(const Study& study) {
  const SimulateConfig& config = study.config;
  const auto* network = std::get_if<Network>(&study.problem->kernel);
  if (network == nullptr) fail(ExitCode::input, "--model network needs one kernel of type ntk, on one modality");
  return {*network, study.problem->features, config.problem.kernel.width, *config.problem.modes,
          config.problem.dynamics.alpha};
}

void check_network_memory(const Study& study, const FullyConnected& of) {
  const SimulateConfig& config = study.config;
  const Problem& problem = *study.problem;
  const auto hidden = static_cast<double>(of.layers.layers.size() / 2);
  const auto width = static_cast<double>(of.width);
  const auto inputs = static_cast<double>(of.inputs);
  const auto outputs = static_cast<double>(of.outputs);
  const auto samples = static_cast<double>(problem.samples);
  const double parameters = hidden == 0 ? inputs * outputs : width * (inputs + (hidden - 1) * width + outputs);
  const double along = width_ranks(config, problem, of);
  const double data = static_cast<double>(problem.comm.size()) / along;
  const bool all = config.network.batch > 0;
  check_map_memory(
      problem.comm,
      4 * parameters / along + samples * (all ? inputs : inputs / data) +
          2 * samples / data * (samples + hidden * width * (2 + outputs / along)),
      fmt::format("--kernel.width {} and --data.pairs {}: training the network", of.width, *config.problem.data.pairs));
}

std::optional<InputSpan> common_span(const Study& study, const FullyConnected& of) {
  const SimulateConfig& config = study.config;
  const Problem& problem = *study.problem;
  const std::int64_t tests = test_count(problem.pairs);
  const bool hidden = of.layers.layers.size() > 1;
  if (!hidden || config.network.weight_decay > 0 || config.network.lars || problem.samples + tests >= of.inputs) {
    return std::nullopt;
  }
  return attempt(problem.comm, [&] {
    NetworkSamples all = columns_of(load_range(problem, {0, problem.samples}));
    if (tests > 0) {
      const Samples more = load_tests(problem, {0, tests});
      all.data.insert(all.data.end(), more.data.begin(), more.data.end());
    }
    return input_span(all.view());
  });
}

std::shared_ptr<NetworkRun> begin_network(const Study& study, const FullyConnected& of,
                                          const std::optional<InputSpan>& span) {
  const SimulateConfig& config = study.config;
  const Problem& problem = *study.problem;
  TrainingGrid grid = make_training_grid(study.comm, width_ranks(config, problem, of));
  return attempt(study.comm, [&] {
    const auto run = std::make_shared<NetworkRun>(NetworkRun{.grid = std::move(grid)});
    run->pairing = problem.pairing;
    run->samples = problem.samples;
    run->loss = pair_loss_of(config);
    run->batch = batch_size(config, problem, run->loss);
    run->seed = static_cast<std::uint64_t>(config.problem.seed);
    run->own = columns_of(load_range(problem, batch_share(run->grid, problem.samples, problem.pairing.views)));
    if (run->batch < group_count(problem)) run->every = columns_of(load_range(problem, {0, problem.samples}));
    run->training.network = draw_perceptron(of, run->grid.width, run->seed);
    if (span) {
      confine(run->training.network, *span);
      run->own = within(*span, run->own);
      if (run->every) run->every = within(*span, *run->every);
    }
    run->start = run->training.network.parameters;
    return run;
  });
}

std::vector<NetworkSamples> network_tests(const Problem& problem, const TrainingGrid& grid,
                                          const std::optional<InputSpan>& span) {
  return attempt(problem.comm, [&] {
    std::vector<NetworkSamples> tests;
    for (const TestGroup& group : test_groups(problem.pairs)) {
      const Range own = batch_share(grid, group.range.size(), 1);
      tests.push_back(columns_of(load_tests(problem, {group.range.begin + own.begin, group.range.begin + own.end})));
      if (span) tests.back() = within(*span, tests.back());
    }
    return tests;
  });
}

}  // namespace stepwise
