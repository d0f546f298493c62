#include <algorithm>
#include <cmath>

#include "kernel/perceptron.hpp"
#include "sim/draw.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/core/random.hpp"
#include "stepwise/dist/block_vector.hpp"
#include "stepwise/sim/perceptron.hpp"

namespace stepwise {
namespace {

/// Neuron numbers of different layers, and weights and biases, draw from streams of their own.
constexpr std::int64_t most_neurons = std::int64_t{1} << 32;
enum Stream { weight_stream, bias_stream };

/// Weights of a hidden layer belong to the neuron they lead to, of the readout to that they come from.
void draw_weights(TrainedNetwork& network, std::size_t l, double deviation, std::uint64_t seed) {
  const TrainedLayer& layer = network.layers[l];
  double* weights = network.parameters.data() + layer.weights.begin;
  const std::int64_t along = layer.readout ? layer.rows() : 1;  // from one number of a neuron to its next
  const std::int64_t across = layer.readout ? 1 : layer.rows();
  const std::int64_t numbers = layer.readout ? layer.outputs : layer.inputs;
#pragma omp parallel for
  for (std::int64_t i = 0; i < layer.own.size(); ++i) {
    RandomStream random(seed, Purpose::weight, static_cast<std::int64_t>(l) * most_neurons + layer.own.begin + i,
                        weight_stream);
    for (std::int64_t k = 0; k < numbers; ++k) weights[i * across + k * along] = deviation * random.normal();
  }
}

void draw_biases(TrainedNetwork& network, std::size_t l, double deviation, std::uint64_t seed) {
  const TrainedLayer& layer = network.layers[l];
  const std::int64_t first = layer.readout ? 0 : layer.own.begin;
  for (std::int64_t i = 0; i < layer.biases.size(); ++i) {
    RandomStream random(seed, Purpose::weight, static_cast<std::int64_t>(l) * most_neurons + first + i, bias_stream);
    network.parameters[static_cast<std::size_t>(layer.biases.begin + i)] = deviation * random.normal();
  }
}

void require(const char* what, std::int64_t number) {
  constexpr std::int64_t most = 1'000'000;
  if (number < 1 || number > most) fail(ExitCode::input, "{} is {}, must be from 1 to {}", what, number, most);
}

}  // namespace

void draw_layer(TrainedNetwork& network, std::size_t l, double weights, double biases, std::uint64_t seed) {
  draw_weights(network, l, weights, seed);
  draw_biases(network, l, biases, seed);
}

TrainedNetwork draw_perceptron(const FullyConnected& of, const Communicator& width, std::uint64_t seed) {
  const auto parts = perceptron(of.layers);
  if (!parts) {
    fail(ExitCode::input,
         "a network to be trained must be fully connected: affine layers with an activation between each two, as in "
         "dense, relu, dense");
  }
  require("--kernel.width", of.width);
  require("--modes", of.outputs);
  if (!(std::isfinite(of.alpha) && of.alpha >= 0)) {
    fail(ExitCode::input, "--dynamics.alpha is {}, must be a number >= 0", of.alpha);
  }
  TrainedNetwork network;
  network.activations = parts->activations;
  const std::size_t last = parts->activations.size();
  std::int64_t place = 0;
  const auto take = [&](std::int64_t size) {
    const Range part{place, place + size};
    place += size;
    return part;
  };
  bool trained = false;
  for (std::size_t l = 0; l <= last; ++l) {
    const AffineLayer& affine = parts->affine[l];
    const TangentWeights tangent = affine.tangent_weights();
    TrainedLayer layer;
    layer.inputs = l == 0 ? of.inputs : of.width;
    layer.readout = l == last;
    layer.outputs = layer.readout ? of.outputs : of.width;
    layer.own = sample_share(width, layer.readout ? layer.inputs : layer.outputs, 1);
    layer.weights = take(layer.rows() * layer.cols());
    layer.biases = take(affine.bias_variance > 0 || tangent.bias > 0 ? layer.cols() : 0);
    layer.rate = tangent.weight / static_cast<double>(layer.inputs);
    layer.bias_rate = tangent.bias;
    trained = trained || layer.rate > 0 || layer.bias_rate > 0;
    network.layers.push_back(layer);
  }
  if (!trained) fail(ExitCode::input, "no layer of the network is trained: all are frozen");
  network.parameters.resize(static_cast<std::size_t>(place));
  for (std::size_t l = 0; l <= last; ++l) {
    const double scale = l == last ? of.alpha : 1;
    const AffineLayer& affine = parts->affine[l];
    const double fan_in = static_cast<double>(network.layers[l].inputs);
    draw_layer(network, l, scale * std::sqrt(affine.weight_variance / fan_in), scale * std::sqrt(affine.bias_variance),
               seed);
  }
  return network;
}

}  // namespace stepwise
