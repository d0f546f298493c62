#include "stepwise/kernel/network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

constexpr std::size_t most_layers = 20'002;

std::string affine_text(const AffineLayer& layer) {
  std::string text = fmt::format("weight variance {}, bias variance {}", layer.weight_variance, layer.bias_variance);
  if (layer.tangent) text += fmt::format(", NTK weights {} and {}", layer.tangent->weight, layer.tangent->bias);
  return text;
}

struct Describe {
  std::string operator()(const AffineLayer& layer) const { return fmt::format("dense ({})", affine_text(layer)); }
  std::string operator()(const ConvLayer& layer) const {
    return fmt::format("conv {}{} ({})", layer.size, layer.padding == Padding::circular ? " circular" : "",
                       affine_text(layer.affine));
  }
  std::string operator()(const Activation& activation) const { return describe(activation); }
  std::string operator()(const AveragePool& layer) const { return fmt::format("avgpool {}", layer.size); }
  std::string operator()(const Flatten&) const { return "flatten"; }
  std::string operator()(const GlobalAverage&) const { return "gap"; }
};

std::string layer_text(const Layer& layer) {
  return std::visit(Describe{}, layer);
}

/// Walks through the list, keeping what a layer's place depends on.
class Check {
 public:
  explicit Check(const Network& network)
      : network_(network), shape_(network.input), image_(has_image_layers(network)) {}

  void run() {
    for (const Layer& layer : network_.layers) {
      ++place_;
      std::visit([&](const auto& l) { check(l); }, layer);
    }
    if (image_) refuse("the network ends with images: put flatten or gap after the last of them");
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    const auto index = static_cast<std::size_t>(place_ - 1);
    const std::string text = index < network_.layers.size() ? layer_text(network_.layers[index]) : "";
    fail(ExitCode::input, "--kernel.network: layer {}, {}: {}", place_, text, why);
  }
  void require(bool good, const std::string& why) const {
    if (!good) refuse(why);
  }

  void affine(const AffineLayer& layer) const {
    const auto number = [&](double x) { return std::isfinite(x) && x >= 0; };
    require(number(layer.weight_variance), "the weight variance must be a number >= 0");
    require(number(layer.bias_variance), "the bias variance must be a number >= 0");
    const TangentWeights tangent = layer.tangent_weights();
    require(number(tangent.weight) && number(tangent.bias), "NTK weights must be numbers >= 0");
  }
  void check(const AffineLayer& layer) const {
    affine(layer);
    require(!image_, "a dense layer takes vectors: put flatten or gap before it, or use conv 1");
  }
  void check(const ConvLayer& layer) {
    affine(layer.affine);
    require(image_, "a convolution takes images, but flatten or gap came before");
    require(layer.size >= 1 && layer.size % 2 == 1, "the size must be odd and at least 1");
    require(layer.size <= 2 * std::min(shape_.height, shape_.width) - 1,
            fmt::format("the size is too large for images of {} x {}", shape_.height, shape_.width));
    if (layer.size > 1) {
      require(padding_.value_or(layer.padding) == layer.padding,
              "all convolutions of a network pad alike: all circular, or none");
      padding_ = layer.padding;
    }
  }
  void check(const Activation& activation) const {
    try {
      validate(activation);
    } catch (const Error& error) {
      refuse(error.what());
    }
    require(!image_ || !std::holds_alternative<ScalarActivation>(activation),
            "activations by quadrature are for vectors only: before flatten or gap use erf, gelu, sin or a rectifier");
  }
  void check(const AveragePool& layer) {
    require(image_, "pooling takes images, but flatten or gap came before");
    require(layer.size >= 1, "the size must be at least 1");
    require(shape_.height % layer.size == 0 && shape_.width % layer.size == 0,
            fmt::format("{} does not divide images of {} x {}", layer.size, shape_.height, shape_.width));
    shape_.height /= layer.size;
    shape_.width /= layer.size;
  }
  void check(const Flatten&) { image_ = false; }
  void check(const GlobalAverage&) {
    require(image_, "there are no images to average: the network has vectors here");
    image_ = false;
  }

  const Network& network_;
  ImageShape shape_;
  bool image_;
  std::int64_t place_ = 0;
  std::optional<Padding> padding_;
};

/// "ReLU x 3" would hide the variances, so equal runs of (activation, dense) are counted.
std::string list_text(const std::vector<Layer>& layers) {
  std::string text;
  for (std::size_t l = 0; l < layers.size();) {
    std::string part = layer_text(layers[l]);
    std::size_t used = 1;
    if (l + 1 < layers.size()) {
      const std::string pair = part + ", " + layer_text(layers[l + 1]);
      std::size_t repeats = 1;
      while (l + 2 * repeats + 1 < layers.size() &&
             layer_text(layers[l + 2 * repeats]) + ", " + layer_text(layers[l + 2 * repeats + 1]) == pair) {
        ++repeats;
      }
      if (repeats > 1) {
        part = fmt::format("{} x [{}]", repeats, pair);
        used = 2 * repeats;
      }
    }
    text += (l == 0 ? "" : ", ") + part;
    l += used;
  }
  return text;
}

}  // namespace

bool has_image_layers(const Network& network) {
  return std::any_of(network.layers.begin(), network.layers.end(), [](const Layer& layer) {
    return std::holds_alternative<ConvLayer>(layer) || std::holds_alternative<AveragePool>(layer) ||
           std::holds_alternative<GlobalAverage>(layer);
  });
}

Network fully_connected(NetworkKernel which, const std::vector<AffineLayer>& affine, const Activation& activation) {
  Network network{which, {}, {}};
  for (const AffineLayer& layer : affine) {
    if (!network.layers.empty()) network.layers.emplace_back(activation);
    network.layers.emplace_back(layer);
  }
  return network;
}

void validate(const Network& network) {
  if (network.layers.empty() || network.layers.size() > most_layers) {
    fail(ExitCode::input, "a network of {} layers: must be from 1 to {}", network.layers.size(), most_layers);
  }
  Check(network).run();
}

std::string describe(const Network& network) {
  return fmt::format("{}: infinitely wide network on {}", network.which == NetworkKernel::ntk ? "ntk" : "nngp",
                     describe_layers(network));
}

std::string describe_layers(const Network& network) {
  const bool image = has_image_layers(network);
  const std::string inputs = image ? fmt::format("images of {} channels, {} x {} pixels (<x_p, y_p'> / channels)",
                                                 network.input.channels, network.input.height, network.input.width)
                                   : "vectors (x.y / m)";
  return fmt::format("{}: {}", inputs, list_text(network.layers));
}

}  // namespace stepwise
