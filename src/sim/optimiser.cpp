#include "stepwise/sim/optimiser.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "stepwise/core/error.hpp"
#include "stepwise/core/random.hpp"

namespace stepwise {
namespace {

void require(const char* option, double value, double least, double below, const char* bound) {
  if (!(value >= least && value < below)) fail(ExitCode::input, "{} is {}, must be {}", option, value, bound);
}

/// w <- w - rate v, v <- momentum v + scale (r g + decay w) for some parameters.
void move(const Optimiser& optimiser, double rate_factor, double decay, double scale, std::int64_t count,
          const double* gradient, double* velocity, double* weights) {
  const double momentum = optimiser.momentum;
  const double rate = optimiser.rate;
  if (velocity == nullptr) {
#pragma omp parallel for simd
    for (std::int64_t i = 0; i < count; ++i) {
      weights[i] -= rate * scale * (rate_factor * gradient[i] + decay * weights[i]);
    }
    return;
  }
#pragma omp parallel for simd
  for (std::int64_t i = 0; i < count; ++i) {
    velocity[i] = momentum * velocity[i] + scale * (rate_factor * gradient[i] + decay * weights[i]);
    weights[i] -= rate * velocity[i];
  }
}

/// trust ||w|| / ||r g + decay w|| of each layer's weights.
std::vector<double> trust_ratios(const Optimiser& optimiser, const TrainedNetwork& network,
                                 std::span<const double> gradient, const Communicator& width) {
  std::vector<double> squares;
  for (const TrainedLayer& layer : network.layers) {
    double weights = 0;
    double directions = 0;
    for (auto i = static_cast<std::size_t>(layer.weights.begin); i < static_cast<std::size_t>(layer.weights.end); ++i) {
      const double w = network.parameters[i];
      const double g = layer.rate * gradient[i] + optimiser.weight_decay * w;
      weights += w * w;
      directions += g * g;
    }
    squares.push_back(weights);
    squares.push_back(directions);
  }
  sum(width, squares);
  std::vector<double> ratios;
  for (std::size_t l = 0; l < squares.size(); l += 2) {
    const bool both = squares[l] > 0 && squares[l + 1] > 0;
    ratios.push_back(both ? optimiser.trust * std::sqrt(squares[l] / squares[l + 1]) : 1);
  }
  return ratios;
}

}  // namespace

void validate(const Optimiser& optimiser) {
  constexpr double any = std::numeric_limits<double>::infinity();
  require("--training.rate", optimiser.rate, std::numeric_limits<double>::min(), any, "a number > 0");
  require("--training.momentum", optimiser.momentum, 0, 1, "from 0 to below 1");
  require("--training.weight-decay", optimiser.weight_decay, 0, any, "a number >= 0");
  require("--training.trust", optimiser.trust, std::numeric_limits<double>::min(), any, "a number > 0");
}

void take_step(const Optimiser& optimiser, TrainedNetwork& network, std::span<const double> gradient,
               std::span<double> velocity, const Communicator& width) {
  std::vector<double> scales(network.layers.size(), 1.0);
  if (optimiser.lars) scales = trust_ratios(optimiser, network, gradient, width);
  const auto step = [&](Range range, double factor, double decay, double scale) {
    if (factor == 0) return;  // not trained
    move(optimiser, factor, decay, scale, range.size(), gradient.data() + range.begin,
         velocity.empty() ? nullptr : velocity.data() + range.begin, network.parameters.data() + range.begin);
  };
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const TrainedLayer& layer = network.layers[l];
    step(layer.weights, layer.rate, optimiser.weight_decay, scales[l]);
    step(layer.biases, layer.bias_rate, 0, 1);
  }
}

std::vector<std::int64_t> batch_groups(std::int64_t groups, std::int64_t batch, std::uint64_t seed, std::int64_t step) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(groups));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (batch >= groups) return order;
  const std::int64_t batches = groups / batch;
  RandomStream random(seed, Purpose::batch, step / batches);
  for (std::int64_t i = groups - 1; i > 0; --i) {
    std::swap(order[static_cast<std::size_t>(i)], order[random.below(static_cast<std::uint32_t>(i + 1))]);
  }
  const auto first = order.begin() + step % batches * batch;
  return {first, first + batch};
}

NetworkTraining begin_network_training(TrainedNetwork network, const Optimiser& optimiser) {
  NetworkTraining training{std::move(network), {}, 0, {}, {}, {}};
  const std::size_t count = training.network.parameters.size();
  training.gradient.resize(count);
  if (optimiser.momentum > 0) training.velocity.resize(count);
  return training;
}

double loss_gradient(NetworkTraining& training, const TrainingGrid& grid, MatrixView<const double> x,
                     const PairLoss& loss, const Pairing& pairing) {
  const std::int64_t d = training.network.outputs();
  forward(training.network, grid.width, x, training.pass);
  training.by_output.resize(training.pass.outputs.size());
  const MatrixView<double> by_output{training.by_output.data(), d, x.cols, d};
  const double value = evaluate(loss, {training.pass.outputs.data(), d, x.cols, d}, pairing, grid.data, by_output);
  backward(training.network, grid.width, x, training.pass, by_output, training.gradient);
  if (grid.data.size() > 1) sum(grid.data, training.gradient);
  return value;
}

double train(NetworkTraining& training, const TrainingGrid& grid, MatrixView<const double> x, const PairLoss& loss,
             const Pairing& pairing, const Optimiser& optimiser) {
  const double value = loss_gradient(training, grid, x, loss, pairing);
  take_step(optimiser, training.network, training.gradient, training.velocity, grid.width);
  ++training.step;
  return value;
}

}  // namespace stepwise
