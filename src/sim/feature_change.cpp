#include <cmath>
#include <utility>
#include <vector>

#include "stepwise/sim/width_study.hpp"

namespace stepwise {
namespace {

/// Signals that enter each layer, and those that come back from each output: J's rows are their outer products.
struct Signals {
  std::vector<std::vector<double>> entering;  ///< layer by layer, inputs x n
  std::vector<std::vector<double>> back;      ///< neurons x (d n), sample by sample; none for the readout
};

Signals signals_of(const TrainedNetwork& network, MatrixView<const double> x) {
  const Communicator alone(MPI_COMM_SELF);
  const std::int64_t d = network.outputs();
  NetworkPass pass;
  forward(network, alone, x, pass);
  Signals signals;
  signals.back.resize(network.activations.size());
  std::vector<double> units(static_cast<std::size_t>(d * d * x.cols));
  for (std::int64_t i = 0; i < d * x.cols; ++i) units[static_cast<std::size_t>(i * d + i % d)] = 1;
  back_propagate(network, alone, pass, {units.data(), d, d * x.cols, d}, d,
                 [&](std::size_t l, MatrixView<const double> back) {
                   signals.back[l].assign(back.data, back.data + back.rows * back.cols);
                 });
  signals.entering.emplace_back();
  for (std::int64_t s = 0; s < x.cols; ++s) {
    signals.entering[0].insert(signals.entering[0].end(), x.column(s), x.column(s) + x.rows);
  }
  for (auto& signal : pass.signals) signals.entering.push_back(std::move(signal));
  return signals;
}

/// A vector a before training that has become a + e.
struct Move {
  double square = 0;  ///< |a|^2
  double moved = 0;   ///< |e|^2
  double along = 0;   ///< a.e
};

Move move_of(const std::vector<double>& before, const std::vector<double>& now, std::int64_t begin,
             std::int64_t count) {
  Move move;
  for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(begin + count); ++i) {
    const double step = now[i] - before[i];
    move.square += before[i] * before[i];
    move.moved += step * step;
    move.along += before[i] * step;
  }
  return move;
}

}  // namespace

double feature_change(const TrainedNetwork& now, const TrainedNetwork& start, MatrixView<const double> x) {
  const Signals at = signals_of(now, x);
  const Signals before = signals_of(start, x);
  const std::int64_t d = start.outputs();
  double change = 0;
  double whole = 0;
  for (std::size_t l = 0; l < start.layers.size(); ++l) {
    const TrainedLayer& layer = start.layers[l];
    for (std::int64_t s = 0; s < x.cols; ++s) {
      const Move h = move_of(before.entering[l], at.entering[l], s * layer.inputs, layer.inputs);
      if (layer.readout) {  // the same h for each output
        change += static_cast<double>(d) * layer.rate * h.moved;
        whole += static_cast<double>(d) * (layer.rate * h.square + layer.bias_rate);
        continue;
      }
      for (std::int64_t k = s * d; k < (s + 1) * d; ++k) {
        const Move b = move_of(before.back[l], at.back[l], k * layer.outputs, layer.outputs);
        // |(h + e)(b + g)^T - h b^T|^2 = |e|^2 |b + g|^2 + |h|^2 |g|^2 + 2 (h.e) (b.g + |g|^2)
        change += layer.rate * (h.moved * (b.square + 2 * b.along + b.moved) + h.square * b.moved +
                                2 * h.along * (b.along + b.moved)) +
                  layer.bias_rate * b.moved;
        whole += (layer.rate * h.square + layer.bias_rate) * b.square;
      }
    }
  }
  return std::sqrt(change / whole);
}

}  // namespace stepwise
