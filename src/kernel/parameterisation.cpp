#include <fmt/format.h>

#include <algorithm>

#include "stepwise/core/error.hpp"
#include "stepwise/kernel/network_text.hpp"

namespace stepwise {
namespace {

bool frozen(const AffineLayer& layer) {
  return layer.tangent && layer.tangent->weight == 0 && layer.tangent->bias == 0;
}

/// The affine layers in order, those of convolutions too.
std::vector<AffineLayer*> affine_layers(Network& network) {
  std::vector<AffineLayer*> result;
  for (Layer& layer : network.layers) {
    if (auto* dense = std::get_if<AffineLayer>(&layer)) result.push_back(dense);
    if (auto* conv = std::get_if<ConvLayer>(&layer)) result.push_back(&conv->affine);
  }
  return result;
}

[[noreturn]] void no_counterpart(const char* name, const std::string& why) {
  fail(ExitCode::input, "--convention {}: {}", name, why);
}

void require_relu(const Network& network, const char* name) {
  for (const Layer& layer : network.layers) {
    const auto* activation = std::get_if<Activation>(&layer);
    if (activation == nullptr) continue;
    const auto* rectifier = std::get_if<Rectifier>(activation);
    if (rectifier == nullptr || rectifier->negative_slope != 0) {
      no_counterpart(name, fmt::format("that code has ReLU networks only, not {}", describe(*activation)));
    }
  }
}

/// Affine layers with an activation between each two, and nothing else.
void require_plain(const Network& network, const char* name) {
  const bool alternating = network.layers.size() % 2 == 1;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const bool affine = std::holds_alternative<AffineLayer>(network.layers[l]);
    const bool activation = std::holds_alternative<Activation>(network.layers[l]);
    if (!alternating || (l % 2 == 0 ? !affine : !activation)) {
      no_counterpart(name, "that code has fully connected networks only: dense, relu, dense, ..., dense");
    }
  }
}

/// The layers of the CNTK code: convolutions of one size, a ReLU behind each, flatten or gap, dense.
void require_cntk(const Network& network, const char* name) {
  if (!has_image_layers(network)) return require_plain(network, name);
  const std::size_t count = network.layers.size();
  std::int64_t size = 0;
  bool good = count >= 4 && count % 2 == 0 && std::holds_alternative<AffineLayer>(network.layers.back()) &&
              (std::holds_alternative<Flatten>(network.layers[count - 2]) ||
               std::holds_alternative<GlobalAverage>(network.layers[count - 2]));
  for (std::size_t l = 0; good && l + 2 < count; l += 2) {
    const auto* conv = std::get_if<ConvLayer>(&network.layers[l]);
    good = conv != nullptr && std::holds_alternative<Activation>(network.layers[l + 1]) &&
           (size == 0 || conv->size == size) && conv->padding == Padding::zero;
    if (good) size = conv->size;
  }
  if (!good) {
    no_counterpart(name,
                   "that code has networks conv R, relu, ..., conv R, relu, flatten or gap, dense only, with one R");
  }
}

void set(AffineLayer& layer, double weight, const char* name) {
  if (layer.bias_variance != 0) no_counterpart(name, "that code has no biases: leave their variance out");
  layer.weight_variance = weight;
  if (!frozen(layer)) layer.tangent = std::nullopt;
}

void use_cntk(Network& network, double features, bool fixed, const char* name) {
  require_cntk(network, name);
  const auto layers = affine_layers(network);
  for (AffineLayer* layer : layers) set(*layer, 2, name);
  if (const auto* conv = std::get_if<ConvLayer>(&network.layers.front())) {
    const auto patch = static_cast<double>(conv->size * conv->size);
    const bool flat = std::holds_alternative<Flatten>(network.layers[network.layers.size() - 2]);
    const auto pixels = static_cast<double>(network.input.height * network.input.width);
    layers.front()->weight_variance = patch * static_cast<double>(network.input.channels);
    // The sums over patches lack their divisor, which stands with every ReLU, also the last; the trace is a sum.
    layers.back()->weight_variance = 2 / patch * (flat ? pixels : 1);
  } else {
    layers.front()->weight_variance = features;
  }
  if (!fixed) return;
  layers.front()->tangent = TangentWeights{};
  layers.back()->tangent = TangentWeights{};
}

void use_scikit(Network& network, double features) {
  require_plain(network, "scikit-ntk");
  const auto layers = affine_layers(network);
  const double bias = layers.front()->bias_variance;
  for (AffineLayer* layer : layers) {
    if (frozen(*layer)) no_counterpart("scikit-ntk", "that code trains all layers: leave frozen out");
    if (layer->bias_variance != bias) no_counterpart("scikit-ntk", "that code has one bias for all layers");
    *layer = {2, 0, TangentWeights{2, bias}};
  }
  *layers.front() = {features, 0, TangentWeights{features, bias}};
  const double scale = 1 / (static_cast<double>(layers.size()) * (1 + bias));
  AffineLayer& last = *layers.back();
  last = {last.weight_variance * scale, 0, TangentWeights{last.tangent->weight * scale, bias * scale}};
}

}  // namespace

void use_standard_parameterisation(Network& network, std::int64_t width, std::int64_t features) {
  const bool image = has_image_layers(network);
  std::int64_t channels = image ? network.input.channels : features;
  std::int64_t pixels = network.input.height * network.input.width;
  for (Layer& layer : network.layers) {
    AffineLayer* affine = std::get_if<AffineLayer>(&layer);
    std::int64_t fan_in = channels;
    if (auto* conv = std::get_if<ConvLayer>(&layer)) {
      affine = &conv->affine;
      fan_in *= conv->size * conv->size;
    }
    if (const auto* pool = std::get_if<AveragePool>(&layer)) pixels /= pool->size * pool->size;
    if (image && std::holds_alternative<Flatten>(layer)) channels *= pixels;
    if (affine == nullptr) continue;
    if (!frozen(*affine)) {
      affine->tangent = TangentWeights{static_cast<double>(fan_in), affine->bias_variance > 0 ? 1.0 : 0.0};
    }
    channels = width;
  }
}

void use_convention(Network& network, Convention convention, std::int64_t features) {
  const auto inputs = static_cast<double>(features);
  if (convention == Convention::neural_tangents) return;
  const char* name = convention == Convention::cntk         ? "cntk"
                     : convention == Convention::cntk_fixed ? "cntk-fixed"
                     : convention == Convention::uci        ? "uci"
                                                            : "scikit-ntk";
  require_relu(network, name);
  if (convention == Convention::scikit_ntk) return use_scikit(network, inputs);
  if (convention != Convention::uci) return use_cntk(network, inputs, convention == Convention::cntk_fixed, name);
  require_plain(network, name);
  const auto layers = affine_layers(network);
  for (AffineLayer* layer : layers) set(*layer, 1, name);
  layers.front()->weight_variance = inputs;
}

}  // namespace stepwise
