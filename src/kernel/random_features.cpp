#include "stepwise/kernel/random_features.hpp"

#include <cmath>
#include <variant>

#include "kernel/perceptron.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

constexpr int bias_view = 1;  // biases and weights draw from streams of their own

std::vector<double> fourier(const RandomFeatures& features, double length_scale, const std::vector<double>& data) {
  const std::int64_t half = features.count / 2;
  const std::vector<double> phases =
      affine(features.weights.front(), {}, half, features.inputs, data, 1 / length_scale);
  const double scale = std::sqrt(2 / static_cast<double>(features.count));
  std::vector<double> result;
  result.reserve(2 * phases.size());
  for (const double phase : phases) {
    result.push_back(scale * std::cos(phase));
    result.push_back(scale * std::sin(phase));
  }
  return result;
}

/// How many units the hidden layers have: one feature is left for the constant where the readout has a bias.
std::int64_t hidden_width(const Perceptron& network, std::int64_t count) {
  return count - (network.affine.back().bias_variance > 0 ? 1 : 0);
}

std::vector<double> activations(const RandomFeatures& features, const Perceptron& network,
                                const std::vector<double>& data) {
  const std::int64_t width = hidden_width(network, features.count);
  std::vector<double> signal = data;
  std::int64_t inputs = features.inputs;
  for (std::size_t l = 0; l < network.activations.size(); ++l) {
    const double scale = std::sqrt(network.affine[l].weight_variance / static_cast<double>(inputs));
    signal = affine(features.weights[l], features.biases[l], width, inputs, signal, scale);
    for (double& x : signal) x = value(network.activations[l], x);
    inputs = width;
  }
  const AffineLayer readout = network.affine.back();
  const double scale = std::sqrt(readout.weight_variance / static_cast<double>(width));
  for (double& x : signal) x *= scale;
  if (width == features.count) return signal;
  std::vector<double> result;
  result.reserve(signal.size() / static_cast<std::size_t>(width) * static_cast<std::size_t>(features.count));
  for (auto sample = signal.begin(); sample != signal.end(); sample += width) {
    result.insert(result.end(), sample, sample + width);
    result.push_back(std::sqrt(readout.bias_variance));
  }
  return result;
}

}  // namespace

RandomFeatures draw_features(const Kernel& kernel, std::int64_t inputs, std::int64_t count, std::uint64_t seed) {
  RandomFeatures features{kernel, inputs, count, {}, {}};
  if (std::holds_alternative<RbfKernel>(kernel)) {
    if (count % 2 != 0) {
      fail(ExitCode::input, "--kernel.random-features is {}, must be even for rbf: cosines and sines come in pairs",
           count);
    }
    features.weights.push_back(normal_numbers(seed, 0, inputs, count / 2, 0));
    return features;
  }
  const auto* whole = std::get_if<Network>(&kernel);
  const auto network = whole != nullptr && whole->which == NetworkKernel::nngp ? perceptron(*whole) : std::nullopt;
  if (!network || network->activations.empty()) {
    fail(ExitCode::input,
         "--kernel.random-features {} stand for rbf and nngp kernels (fully connected, of depth 1 or more) only: leave "
         "it out",
         count);
  }
  const std::int64_t width = hidden_width(*network, count);
  if (width < 1) fail(ExitCode::input, "--kernel.random-features is {}, must be at least 2 with a bias", count);
  for (std::size_t l = 0; l < network->activations.size(); ++l) {
    const auto layer = static_cast<std::int64_t>(l);
    features.weights.push_back(normal_numbers(seed, layer, l == 0 ? inputs : width, width, 0));
    const double bias = network->affine[l].bias_variance;
    features.biases.push_back(bias > 0 ? normal_numbers(seed, layer, width, 1, bias_view) : std::vector<double>{});
    for (double& x : features.biases.back()) x *= std::sqrt(bias);
  }
  return features;
}

double feature_numbers(const Kernel& kernel, std::int64_t inputs, std::int64_t count) {
  const auto* whole = std::get_if<Network>(&kernel);
  const auto network = whole != nullptr ? perceptron(*whole) : std::nullopt;
  const double deeper =
      network && network->activations.size() > 1 ? static_cast<double>(network->activations.size() - 1) : 0;
  const auto f = static_cast<double>(count);
  return f * (static_cast<double>(inputs) + deeper * f);
}

std::vector<double> feature_vectors(const RandomFeatures& features, const std::vector<double>& data) {
  if (const auto* rbf = std::get_if<RbfKernel>(&features.kernel)) return fourier(features, rbf->length_scale, data);
  return activations(features, *perceptron(std::get<Network>(features.kernel)), data);
}

}  // namespace stepwise
