#include "stepwise/sim/linearised.hpp"

#include <algorithm>

#include "stepwise/dist/block_vector.hpp"
#include "stepwise/dist/exchange.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

/// y = (w - w_0)^T h + w_0^T dh + (b - b_0), with h of the start's pass and dh the tangents (none before the first
/// layer).
void tangent_affine(const LinearisedTraining& training, std::size_t l, const Communicator& width,
                    MatrixView<const double> x, const NetworkPass& tangents, MatrixView<double> y) {
  const TrainedLayer& layer = training.start.layers[l];
  for (std::int64_t s = 0; s < y.cols; ++s) {
    if (layer.biases.size() > 0 && !layer.readout) {
      std::copy_n(training.difference.data() + layer.biases.begin, y.rows, y.column(s));
    } else {
      std::fill_n(y.column(s), y.rows, 0.0);
    }
  }
  for (const EnteringPart& part : entering(training.start, l, width, x, training.moving.pass)) {
    gemm(1, Transpose::yes, layer.matrix(training.difference, part.rows), Transpose::no, part.numbers, 1, y);
  }
  if (l == 0) return;
  for (const EnteringPart& part : entering(training.start, l, width, x, tangents)) {
    gemm(1, Transpose::yes, layer.matrix(training.start.parameters, part.rows), Transpose::no, part.numbers, 1, y);
  }
}

}  // namespace

LinearisedTraining begin_linearised(const TrainedNetwork& start, const Optimiser& optimiser) {
  return {start, begin_network_training(start, optimiser), std::vector<double>(start.parameters.size()), {}};
}

void expand(LinearisedTraining& training, const Communicator& width, MatrixView<const double> x) {
  forward(training.start, width, x, training.moving.pass);
}

void linearised_outputs(LinearisedTraining& training, const Communicator& width, MatrixView<const double> x,
                        std::span<double> f) {
  const NetworkPass& pass = training.moving.pass;
  const std::size_t last = training.start.activations.size();
  const std::int64_t n = x.cols;
  for (std::size_t i = 0; i < training.difference.size(); ++i) {
    training.difference[i] = training.moving.network.parameters[i] - training.start.parameters[i];
  }
  NetworkPass& tangents = training.tangents;
  tangents.signals.resize(last);
  for (std::size_t l = 0; l < last; ++l) {
    const TrainedLayer& layer = training.start.layers[l];
    const std::int64_t own = layer.own.size();
    tangents.signals[l].resize(static_cast<std::size_t>(layer.outputs * n));
    const auto part = std::span(tangents.signals[l])
                          .subspan(static_cast<std::size_t>(layer.own.begin * n), static_cast<std::size_t>(own * n));
    tangent_affine(training, l, width, x, tangents, {part.data(), own, n, own});
    for (std::size_t i = 0; i < part.size(); ++i) part[i] *= pass.slopes[l][i];
    if (l + 1 == last || width.size() == 1) continue;
    gather(width, part, neuron_counts(layer.outputs, n, width), tangents.signals[l]);
  }
  const TrainedLayer& readout = training.start.layers.back();
  const std::int64_t d = readout.outputs;
  tangent_affine(training, last, width, x, tangents, {f.data(), d, n, d});
  if (width.size() > 1) sum(width, f);
  for (std::size_t i = 0; i < f.size(); ++i) {
    f[i] += pass.outputs[i];
    if (readout.biases.size() > 0) {
      f[i] += training.difference[static_cast<std::size_t>(readout.biases.begin) + i % static_cast<std::size_t>(d)];
    }
  }
}

double train(LinearisedTraining& training, const TrainingGrid& grid, MatrixView<const double> x, const PairLoss& loss,
             const Pairing& pairing, const Optimiser& optimiser) {
  NetworkTraining& moving = training.moving;
  const std::int64_t d = training.start.outputs();
  std::vector<double> f(moving.pass.outputs.size());
  linearised_outputs(training, grid.width, x, f);
  moving.by_output.resize(f.size());
  const MatrixView<double> by_output{moving.by_output.data(), d, x.cols, d};
  const double value = evaluate(loss, {f.data(), d, x.cols, d}, pairing, grid.data, by_output);
  backward(training.start, grid.width, x, moving.pass, by_output, moving.gradient);
  if (grid.data.size() > 1) sum(grid.data, moving.gradient);
  take_step(optimiser, moving.network, moving.gradient, moving.velocity, grid.width);
  ++moving.step;
  return value;
}

}  // namespace stepwise
