#include "stepwise/sim/perceptron.hpp"

#include <algorithm>
#include <cmath>

#include "stepwise/core/matrix_view.hpp"
#include "stepwise/dist/block_vector.hpp"
#include "stepwise/dist/exchange.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

/// z(own neurons x n) = W^T h + b.
void affine(const TrainedNetwork& network, const TrainedLayer& layer, const std::vector<EnteringPart>& parts,
            MatrixView<double> z) {
  for (std::int64_t s = 0; s < z.cols; ++s) {
    if (layer.biases.size() > 0 && !layer.readout) {
      std::copy_n(network.parameters.data() + layer.biases.begin, z.rows, z.column(s));
    } else {
      std::fill_n(z.column(s), z.rows, 0.0);
    }
  }
  for (const EnteringPart& part : parts) {
    gemm(1, Transpose::yes, layer.matrix(network.parameters, part.rows), Transpose::no, part.numbers, 1, z);
  }
}

/// Sums of the rows of `d`.
void add_columns(MatrixView<const double> d, double* sums) {
  std::fill_n(sums, d.rows, 0.0);
  for (std::int64_t s = 0; s < d.cols; ++s) {
    for (std::int64_t i = 0; i < d.rows; ++i) sums[i] += d(i, s);
  }
}

void layer_gradient(const TrainedLayer& layer, const std::vector<EnteringPart>& parts, MatrixView<const double> signals,
                    std::span<double> gradient) {
  double* weights = gradient.data() + layer.weights.begin;
  double* biases = gradient.data() + layer.biases.begin;
  if (layer.rate == 0) {
    std::fill_n(weights, layer.weights.size(), 0.0);
  } else {
    for (const EnteringPart& part : parts) {
      gemm(1, Transpose::no, part.numbers, Transpose::yes, signals, 0,
           {weights + part.rows.begin, part.rows.size(), layer.cols(), layer.rows()});
    }
  }
  if (layer.biases.size() == 0) return;
  if (layer.bias_rate == 0) {
    std::fill_n(biases, layer.biases.size(), 0.0);
  } else {
    add_columns(signals, biases);
  }
}

}  // namespace

TrainingGrid make_training_grid(const Communicator& comm, int width_ranks) {
  if (width_ranks < 1 || comm.size() % width_ranks != 0) {
    throw CollectiveError(ExitCode::input,
                          fmt::format("--training.width-ranks is {}, must be a divisor of the number of ranks, {}",
                                      width_ranks, comm.size()));
  }
  return {Communicator(comm.raw()), split(comm, comm.rank() % width_ranks), split(comm, comm.rank() / width_ranks)};
}

Range batch_share(const TrainingGrid& grid, std::int64_t samples, std::int64_t group) {
  const int first = grid.data.rank() * grid.width.size();
  return {sample_share(grid.all, samples, group, first).begin,
          sample_share(grid.all, samples, group, first + grid.width.size() - 1).end};
}

std::vector<std::int64_t> neuron_counts(std::int64_t neurons, std::int64_t columns, const Communicator& width) {
  std::vector<std::int64_t> counts;
  for (int rank = 0; rank < width.size(); ++rank) {
    counts.push_back(sample_share(width, neurons, 1, rank).size() * columns);
  }
  return counts;
}

std::vector<EnteringPart> entering(const TrainedNetwork& network, std::size_t layer, const Communicator& width,
                                   MatrixView<const double> x, const NetworkPass& pass) {
  const TrainedLayer& into = network.layers[layer];
  if (layer == 0) {
    if (!into.readout) return {{{0, x.rows}, x}};
    return {{{0, into.own.size()}, x.block(into.own.begin, 0, into.own.size(), x.cols)}};
  }
  const double* numbers = pass.signals[layer - 1].data();
  if (into.readout) {
    const std::int64_t own = into.own.size();
    return {{{0, own}, {numbers + into.own.begin * x.cols, own, x.cols, own}}};
  }
  std::vector<EnteringPart> parts;
  for (int rank = 0; rank < width.size(); ++rank) {
    const Range rows = sample_share(width, into.inputs, 1, rank);
    parts.push_back({rows, {numbers + rows.begin * x.cols, rows.size(), x.cols, rows.size()}});
  }
  return parts;
}

void forward(const TrainedNetwork& network, const Communicator& width, MatrixView<const double> x, NetworkPass& pass) {
  const std::size_t last = network.activations.size();
  const std::int64_t n = x.cols;
  pass.signals.resize(last);
  pass.slopes.resize(last);
  for (std::size_t l = 0; l < last; ++l) {
    const TrainedLayer& layer = network.layers[l];
    const std::int64_t own = layer.own.size();
    pass.signals[l].resize(static_cast<std::size_t>(layer.outputs * n));
    pass.slopes[l].resize(static_cast<std::size_t>(own * n));
    const auto part = std::span(pass.signals[l])
                          .subspan(static_cast<std::size_t>(layer.own.begin * n), static_cast<std::size_t>(own * n));
    affine(network, layer, entering(network, l, width, x, pass), {part.data(), own, n, own});
    activate(network.activations[l], part, pass.slopes[l]);
    if (l + 1 == last || width.size() == 1) continue;
    gather(width, part, neuron_counts(layer.outputs, n, width), pass.signals[l]);
  }
  const TrainedLayer& readout = network.layers.back();
  const std::int64_t d = readout.outputs;
  pass.outputs.resize(static_cast<std::size_t>(d * n));
  affine(network, readout, entering(network, last, width, x, pass), {pass.outputs.data(), d, n, d});
  if (width.size() > 1) sum(width, pass.outputs);
  if (readout.biases.size() == 0) return;
  for (std::size_t i = 0; i < pass.outputs.size(); ++i) {
    pass.outputs[i] +=
        network.parameters[static_cast<std::size_t>(readout.biases.begin) + i % static_cast<std::size_t>(d)];
  }
}

void back_propagate(const TrainedNetwork& network, const Communicator& width, NetworkPass& pass,
                    MatrixView<const double> by_output, std::int64_t columns,
                    const std::function<void(std::size_t, MatrixView<const double>)>& visit) {
  const std::int64_t n = by_output.cols;
  std::vector<double>& d = pass.back;
  for (std::size_t l = network.activations.size(); l-- > 0;) {
    const TrainedLayer& above = network.layers[l + 1];
    const std::int64_t own = network.layers[l].own.size();
    pass.next.resize(static_cast<std::size_t>(own * n));
    const MatrixView<double> next{pass.next.data(), own, n, own};
    if (above.readout) {
      gemm(1, Transpose::no, above.matrix(network.parameters, {0, own}), Transpose::no, by_output, 0, next);
    } else {
      const MatrixView<const double> from{d.data(), above.own.size(), n, above.own.size()};
      const bool alone = width.size() == 1;
      if (!alone) pass.partial.resize(static_cast<std::size_t>(above.inputs * n));
      for (int rank = 0; rank < width.size(); ++rank) {
        const Range rows = sample_share(width, above.inputs, 1, rank);
        gemm(1, Transpose::no, above.matrix(network.parameters, rows), Transpose::no, from, 0,
             alone ? next : MatrixView<double>{pass.partial.data() + rows.begin * n, rows.size(), n, rows.size()});
      }
      if (!alone) sum_and_deal(width, pass.partial, neuron_counts(above.inputs, n, width), pass.next);
    }
    for (std::int64_t s = 0; s < n; ++s) {
      const double* slope = pass.slopes[l].data() + s / columns * own;
      double* column = next.column(s);
      for (std::int64_t i = 0; i < own; ++i) column[i] *= slope[i];
    }
    d.swap(pass.next);
    visit(l, {d.data(), own, n, own});
  }
}

void backward(const TrainedNetwork& network, const Communicator& width, MatrixView<const double> x, NetworkPass& pass,
              MatrixView<const double> by_output, std::span<double> gradient) {
  const std::size_t last = network.activations.size();
  layer_gradient(network.layers[last], entering(network, last, width, x, pass), by_output, gradient);
  back_propagate(network, width, pass, by_output, 1, [&](std::size_t l, MatrixView<const double> signals) {
    layer_gradient(network.layers[l], entering(network, l, width, x, pass), signals, gradient);
  });
}

WeightDistance weight_distance(const TrainedNetwork& network, std::span<const double> start,
                               const Communicator& width) {
  const auto squares = [&](Range range, double rate) {
    double total = 0;
    for (auto i = static_cast<std::size_t>(range.begin); i < static_cast<std::size_t>(range.end); ++i) {
      const double moved = network.parameters[i] - start[i];
      total += moved * moved;
    }
    return rate > 0 ? total / rate : 0;
  };
  WeightDistance distance;
  for (const TrainedLayer& layer : network.layers) {
    distance.layers.push_back(squares(layer.weights, layer.rate));
    if (!layer.readout || width.rank() == 0) distance.layers.back() += squares(layer.biases, layer.bias_rate);
  }
  sum(width, distance.layers);
  for (double& layer : distance.layers) {
    distance.total += layer;
    layer = std::sqrt(layer);
  }
  distance.total = std::sqrt(distance.total);
  return distance;
}

}  // namespace stepwise
