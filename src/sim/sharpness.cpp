#include <cmath>

#include "sim/draw.hpp"
#include "stepwise/sim/optimiser.hpp"

namespace stepwise {
namespace {

/// u . v over all parameters; the biases of the readout are on all width ranks and count once. Collective.
double dot(const TrainedNetwork& network, const std::vector<double>& u, const std::vector<double>& v,
           const Communicator& width) {
  double total = 0;
  const auto add = [&](Range range) {
    for (auto i = static_cast<std::size_t>(range.begin); i < static_cast<std::size_t>(range.end); ++i) {
      total += u[i] * v[i];
    }
  };
  for (const TrainedLayer& layer : network.layers) {
    add(layer.weights);
    if (!layer.readout || width.rank() == 0) add(layer.biases);
  }
  return sum(width, total);
}

/// sqrt of the rate of every parameter.
std::vector<double> root_rates(const TrainedNetwork& network) {
  std::vector<double> roots(network.parameters.size());
  const auto fill = [&](Range range, double rate) {
    for (auto i = static_cast<std::size_t>(range.begin); i < static_cast<std::size_t>(range.end); ++i) {
      roots[i] = std::sqrt(rate);
    }
  };
  for (const TrainedLayer& layer : network.layers) {
    fill(layer.weights, layer.rate);
    fill(layer.biases, layer.bias_rate);
  }
  return roots;
}

}  // namespace

double sharpness(const TrainedNetwork& network, const TrainingGrid& grid, MatrixView<const double> x,
                 const PairLoss& loss, const Pairing& pairing, int iterations) {
  constexpr double relative_step = 1e-4;
  constexpr std::uint64_t seed = 1;
  NetworkTraining moved = begin_network_training(network, {});
  for (std::size_t l = 0; l < network.layers.size(); ++l) draw_layer(moved.network, l, 1, 1, seed);
  std::vector<double> v = moved.network.parameters;
  const std::vector<double> roots = root_rates(network);
  const double size = std::sqrt(dot(network, network.parameters, network.parameters, grid.width));
  const auto gradient_at = [&](double step) {
    for (std::size_t i = 0; i < v.size(); ++i) {
      moved.network.parameters[i] = network.parameters[i] + step * roots[i] * v[i];
    }
    static_cast<void>(loss_gradient(moved, grid, x, loss, pairing));
  };
  double largest = 0;
  for (int iteration = 0; iteration < iterations; ++iteration) {
    const double length = std::sqrt(dot(network, v, v, grid.width));
    if (!(length > 0)) break;
    std::vector<double> along(v.size());
    for (std::size_t i = 0; i < v.size(); ++i) {
      v[i] /= length;
      along[i] = roots[i] * v[i];
    }
    const double step = relative_step * size / std::sqrt(dot(network, along, along, grid.width));
    gradient_at(step);
    along = moved.gradient;
    gradient_at(-step);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = roots[i] * (along[i] - moved.gradient[i]) / (2 * step);
    largest = std::sqrt(dot(network, v, v, grid.width));
  }
  return largest;
}

}  // namespace stepwise
