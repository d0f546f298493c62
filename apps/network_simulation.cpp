#include "network_simulation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "stepwise/dist/agree.hpp"
#include "stepwise/sim/correlation_loss.hpp"

namespace stepwise {
namespace {

/// Samples and eigenvalues of the hidden representation that are recorded at most.
constexpr std::int64_t most_samples = 256;
constexpr std::int64_t most_values = 64;

MatrixView<const double> matrix(const std::vector<double>& a, std::int64_t n) {
  return {a.data(), n, n, n};
}

/// The first samples of all, as far as they are this rank's.
std::int64_t first_samples(const NetworkRun& run) {
  const Range own = batch_share(run.grid, run.samples, run.pairing.views);
  return std::clamp(std::min(run.samples, most_samples) - own.begin, std::int64_t{0}, own.size());
}

std::vector<double> hidden_spectrum(const NetworkRun& run) {
  const MatrixView<const double> x = run.own.view().block(0, 0, run.own.inputs, first_samples(run));
  const SampleMatrix covariance = hidden_covariance(run.training.network, run.grid, x);
  const std::vector<double> all = whole(covariance, run.grid.data);
  std::vector<double> values = attempt(run.grid.all, [&] { return spectrum(matrix(all, covariance.samples)); });
  values.resize(static_cast<std::size_t>(hidden_values(run)));
  return values;
}

Measurement measure(NetworkRun& run) {
  const TrainedNetwork& network = run.training.network;
  const std::int64_t d = network.outputs();
  forward(network, run.grid.width, run.own.view(), run.seen);
  run.unused.resize(run.seen.outputs.size());
  const MatrixView<const double> f{run.seen.outputs.data(), d, run.own.view().cols, d};
  Measurement seen;
  seen.loss = evaluate(run.loss, f, run.pairing, run.grid.data, {run.unused.data(), d, f.cols, d});
  const std::vector<double> c = pair_correlation(f, run.pairing, run.grid.data);
  const std::vector<double> covariance = sample_covariance(f, run.grid.data);
  std::vector<double> of_covariance;
  attempt(run.grid.all, [&] {
    seen.lambda = spectrum(matrix(c, d));
    of_covariance = spectrum(matrix(covariance, d));
  });
  WeightDistance way = weight_distance(network, run.start, run.grid.width);
  seen.more = {std::move(of_covariance), hidden_spectrum(run), std::vector<double>{way.total}, std::move(way.layers)};
  return seen;
}

/// The batch of a step, this data rank's columns.
std::vector<double> batch_of(const NetworkRun& run) {
  const std::int64_t views = run.pairing.views;
  const std::vector<std::int64_t> groups = batch_groups(run.samples / views, run.batch, run.seed, run.training.step);
  const Range own = batch_share(run.grid, std::ssize(groups), 1);
  std::vector<double> x;
  for (std::int64_t i = own.begin; i < own.end; ++i) {
    const double* first = run.every->data.data() + groups[static_cast<std::size_t>(i)] * views * run.every->inputs;
    x.insert(x.end(), first, first + views * run.every->inputs);
  }
  return x;
}

/// The loss of all samples does not rise but by momentum; losses of small batches differ by much.
bool diverged(const NetworkRun& run, double loss) {
  const double slack = run.every ? 1000 : run.optimiser.momentum > 0 ? 1 : 0.01;
  const double start = run.start_loss.value_or(loss);
  return !(loss <= start + slack * (1 + std::abs(start)));
}

Advance advance(NetworkRun& run, const Moment& end) {
  if (run.training.step >= end.step) return {};
  std::vector<double> batch;
  if (run.every) batch = batch_of(run);
  const std::int64_t inputs = run.own.inputs;
  const MatrixView<const double> x =
      run.every ? MatrixView<const double>{batch.data(), inputs, std::ssize(batch) / inputs, inputs} : run.own.view();
  const double loss = train(run.training, run.grid, x, run.loss, run.pairing, run.optimiser);
  if (!run.start_loss) run.start_loss = loss;
  return {diverged(run, loss) ? Way::diverged : Way::under_way, loss};
}

/// What layers of numbers laid out as the parameters are called in a checkpoint.
struct KeptLayer {
  std::string name;
  std::int64_t neurons;  ///< of all ranks
  Range own;             ///< of this rank, but of data rank 0 alone
  std::int64_t numbers;  ///< of each
};

KeptLayer kept_layer(const NetworkRun& run, const std::string& what, std::size_t l) {
  const TrainedLayer& layer = run.training.network.layers[l];
  return {fmt::format("/training/{}/{}", what, l + 1), layer.readout ? layer.inputs : layer.outputs,
          run.grid.data.rank() == 0 ? layer.own : Range{layer.own.begin, layer.own.begin},
          layer.readout ? layer.outputs : layer.inputs};
}

/// A readout's weights are stored by the neurons that they come from, in memory by those that they lead to.
std::vector<double> by_neuron(const TrainedLayer& layer, const double* weights, bool back) {
  std::vector<double> result(static_cast<std::size_t>(layer.weights.size()));
  for (std::int64_t j = 0; j < layer.cols(); ++j) {
    for (std::int64_t i = 0; i < layer.rows(); ++i) {
      const std::int64_t here = i + j * layer.rows();
      const std::int64_t there = layer.readout ? j + i * layer.cols() : here;
      result[static_cast<std::size_t>(back ? here : there)] = weights[back ? there : here];
    }
  }
  return result;
}

void save(const NetworkRun& run, const std::string& what, const std::vector<double>& numbers,
          CheckpointWriter& writer) {
  for (std::size_t l = 0; l < run.training.network.layers.size(); ++l) {
    const TrainedLayer& layer = run.training.network.layers[l];
    const KeptLayer kept = kept_layer(run, what, l);
    const std::vector<double> weights = by_neuron(layer, numbers.data() + layer.weights.begin, false);
    writer.rows(kept.name, kept.neurons, kept.own, {weights.data(), kept.numbers, kept.own.size(), kept.numbers});
    if (layer.biases.size() == 0) continue;
    const double* biases = numbers.data() + layer.biases.begin;
    if (layer.readout) {
      writer.numbers(kept.name + "b", {biases, static_cast<std::size_t>(layer.biases.size())});
    } else {
      writer.rows(kept.name + "b", kept.neurons, kept.own, {biases, 1, kept.own.size(), 1});
    }
  }
}

void load(const NetworkRun& run, const std::string& what, std::vector<double>& numbers, CheckpointReader& reader) {
  for (std::size_t l = 0; l < run.training.network.layers.size(); ++l) {
    const TrainedLayer& layer = run.training.network.layers[l];
    const KeptLayer kept = kept_layer(run, what, l);
    std::vector<double> weights(static_cast<std::size_t>(layer.weights.size()));
    reader.rows(kept.name, kept.own, {weights.data(), kept.numbers, kept.own.size(), kept.numbers});
    weights = by_neuron(layer, weights.data(), true);
    std::copy(weights.begin(), weights.end(), numbers.begin() + layer.weights.begin);
    if (layer.biases.size() == 0) continue;
    double* biases = numbers.data() + layer.biases.begin;
    if (layer.readout) {
      const std::vector<double> all = reader.numbers(kept.name + "b");
      std::copy(all.begin(), all.end(), biases);
    } else {
      reader.rows(kept.name + "b", kept.own, {biases, 1, kept.own.size(), 1});
    }
  }
  broadcast(run.grid.data, numbers);
}

void save(const NetworkRun& run, CheckpointWriter& writer) {
  writer.counts("/training/step", std::vector<std::int64_t>{run.training.step});
  if (run.start_loss) writer.numbers("/training/start_loss", std::vector<double>{*run.start_loss});
  save(run, "weights", run.training.network.parameters, writer);
  if (!run.training.velocity.empty()) save(run, "velocity", run.training.velocity, writer);
}

void load(NetworkRun& run, CheckpointReader& reader) {
  run.training.step = reader.counts("/training/step").at(0);
  if (reader.contains("/training/start_loss")) run.start_loss = reader.numbers("/training/start_loss").at(0);
  load(run, "weights", run.training.network.parameters, reader);
  if (!run.training.velocity.empty()) load(run, "velocity", run.training.velocity, reader);
}

}  // namespace

std::int64_t hidden_values(const NetworkRun& run) {
  const TrainedLayer& readout = run.training.network.layers.back();
  return std::min({run.samples, most_samples, most_values, readout.inputs});
}

BlockVector outputs_of(NetworkRun& run, MatrixView<const double> x, std::int64_t samples, std::int64_t group) {
  const std::int64_t d = run.training.network.outputs();
  forward(run.training.network, run.grid.width, x, run.seen);
  BlockVector f = make_block_vector(run.grid.all, samples, d, group);
  const std::int64_t before = f.range.begin - batch_share(run.grid, samples, group).begin;
  std::copy_n(run.seen.outputs.begin() + before * d, f.data.size(), f.data.begin());
  return f;
}

Simulation network_simulation(const std::shared_ptr<NetworkRun>& run) {
  const auto d = static_cast<hsize_t>(run->training.network.outputs());
  Simulation simulation;
  simulation.name = "training";
  simulation.recorded = {
      {{"/measured/covariance", "1", "eigenvalues of the covariance of f over all samples, descending", {"/mode"}},
       {d}},
      {{"/measured/hidden",
        "1",
        fmt::format("leading eigenvalues of the covariance of the last hidden layer over the first {} samples",
                    std::min(run->samples, most_samples)),
        {"/hidden_mode"}},
       {static_cast<hsize_t>(hidden_values(*run))}},
      {{"/measured/weight_distance", "1", "distance of all trained parameters from their start", {}}, {}},
      {{"/measured/layer_distance", "1", "the same layer by layer", {"/layer"}},
       {run->training.network.layers.size()}}};
  simulation.now = [run] {
    return Moment{run->training.step, run->optimiser.rate * static_cast<double>(run->training.step)};
  };
  simulation.advance = [run](const Moment& end) { return advance(*run, end); };
  simulation.measure = [run](std::int64_t) { return measure(*run); };
  simulation.save = [run](CheckpointWriter& writer) { save(*run, writer); };
  simulation.load = [run](CheckpointReader& reader) { load(*run, reader); };
  return simulation;
}

}  // namespace stepwise
