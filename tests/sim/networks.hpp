#pragma once

#include <mpi.h>

#include <cmath>
#include <functional>
#include <vector>

#include "stepwise/core/random.hpp"
#include "stepwise/dist/block_vector.hpp"
#include "stepwise/kernel/network_text.hpp"
#include "stepwise/sim/optimiser.hpp"
#include "support/grids.hpp"

namespace stepwise::test {

using Vector = std::vector<double>;

/// A grid of this rank alone.
inline const TrainingGrid& alone() {
  static auto* const grid = new TrainingGrid(make_training_grid(Communicator(MPI_COMM_SELF), 1));
  return *grid;
}

/// Every data x width grid of all ranks.
inline void on_every_training_grid(const std::function<void(const TrainingGrid&)>& test) {
  for (int width = 1; width <= world().size(); ++width) {
    if (world().size() % width == 0) test(make_training_grid(world(), width));
  }
}

/// rows x n normal numbers, the same on every rank; views of a group resemble each other.
inline Vector normal_columns(std::int64_t rows, std::int64_t n, std::uint64_t seed, std::int64_t views = 2) {
  Vector numbers;
  for (std::int64_t s = 0; s < n; ++s) {
    RandomStream common(seed, Purpose::probe, s / views);
    RandomStream own(seed, Purpose::noise, s);
    for (std::int64_t i = 0; i < rows; ++i) numbers.push_back(common.normal() + 0.4 * own.normal());
  }
  return numbers;
}

inline MatrixView<const double> columns(const Vector& numbers, std::int64_t rows, Range range) {
  return {numbers.data() + range.begin * rows, rows, range.size(), rows};
}

inline MatrixView<const double> columns(const Vector& numbers, std::int64_t rows) {
  return columns(numbers, rows, {0, std::ssize(numbers) / rows});
}

struct NetworkOptions {
  int depth = 2;
  Activation activation = Rectifier{};
  bool standard = false;
  double bias = 0.3;
  std::int64_t inputs = 5;
  std::int64_t width = 7;
  std::int64_t outputs = 3;
  double alpha = 1;
};

inline FullyConnected describe_network(const NetworkOptions& options) {
  const std::vector<AffineLayer> layers(static_cast<std::size_t>(options.depth + 1), AffineLayer{1.7, options.bias});
  Network network = fully_connected(NetworkKernel::ntk, layers, options.activation);
  if (options.standard) use_standard_parameterisation(network, options.width, options.inputs);
  return {network, options.inputs, options.width, options.outputs, options.alpha};
}

inline TrainedNetwork drawn(const NetworkOptions& options, const TrainingGrid& grid, std::uint64_t seed = 5) {
  return draw_perceptron(describe_network(options), grid.width, seed);
}

/// f of one sample, loop by loop, of a network that this rank keeps whole.
inline Vector literal_output(const TrainedNetwork& network, const double* x) {
  Vector h(x, x + network.inputs());
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const TrainedLayer& layer = network.layers[l];
    Vector z(static_cast<std::size_t>(layer.outputs));
    for (std::int64_t j = 0; j < layer.outputs; ++j) {
      auto& sum = z[static_cast<std::size_t>(j)];
      if (layer.biases.size() > 0) sum = network.parameters[static_cast<std::size_t>(layer.biases.begin + j)];
      for (std::int64_t i = 0; i < layer.inputs; ++i) {
        sum += network.parameters[static_cast<std::size_t>(layer.weights.begin + i + j * layer.inputs)] *
               h[static_cast<std::size_t>(i)];
      }
      if (l < network.activations.size()) sum = value(network.activations[l], sum);
    }
    h = z;
  }
  return h;
}

/// The factor of the learning rate of every parameter.
inline Vector rates(const TrainedNetwork& network) {
  Vector result(network.parameters.size());
  for (const TrainedLayer& layer : network.layers) {
    for (auto i = layer.weights.begin; i < layer.weights.end; ++i) result[static_cast<std::size_t>(i)] = layer.rate;
    for (auto i = layer.biases.begin; i < layer.biases.end; ++i) result[static_cast<std::size_t>(i)] = layer.bias_rate;
  }
  return result;
}

/// The same layer's numbers of a network kept whole, in the order of this rank's part.
inline Vector own_part(const TrainedNetwork& whole, const TrainedNetwork& part, const Vector& numbers) {
  Vector result(part.parameters.size());
  for (std::size_t l = 0; l < part.layers.size(); ++l) {
    const TrainedLayer& from = whole.layers[l];
    const TrainedLayer& to = part.layers[l];
    const std::int64_t row = to.readout ? to.own.begin : 0;
    const std::int64_t col = to.readout ? 0 : to.own.begin;
    for (std::int64_t j = 0; j < to.cols(); ++j) {
      for (std::int64_t i = 0; i < to.rows(); ++i) {
        result[static_cast<std::size_t>(to.weights.begin + i + j * to.rows())] =
            numbers[static_cast<std::size_t>(from.weights.begin + row + i + (col + j) * from.rows())];
      }
    }
    for (std::int64_t j = 0; j < to.biases.size(); ++j) {
      result[static_cast<std::size_t>(to.biases.begin + j)] =
          numbers[static_cast<std::size_t>(from.biases.begin + col + j)];
    }
  }
  return result;
}

inline double largest_difference(const Vector& a, const Vector& b) {
  double largest = a.size() == b.size() ? 0 : 1e300;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace stepwise::test
