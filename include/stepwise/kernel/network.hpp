#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "stepwise/data/images.hpp"
#include "stepwise/kernel/activation.hpp"

namespace stepwise {

/// What a layer's own parameters add to the NTK: weight c + bias, c being the covariance of what enters.
struct TangentWeights {
  double weight = 0;
  double bias = 0;
};

/// Affine layer z = sqrt(weight_variance / fan_in) W x + sqrt(bias_variance) b, entries of W, b from N(0, 1):
/// c <- weight_variance c + bias_variance.
struct AffineLayer {
  double weight_variance = 2;
  double bias_variance = 0;
  /// Nothing: weight_variance and bias_variance, the NTK parameterisation. Zeros: a layer that is not trained.
  std::optional<TangentWeights> tangent = std::nullopt;

  [[nodiscard]] TangentWeights tangent_weights() const {
    return tangent.value_or(TangentWeights{weight_variance, bias_variance});
  }
};

enum class Padding { zero, circular };

/// size x size convolution of stride 1, output as large as the input, as an affine layer over size^2 channels' worth of
/// inputs: the divisor stays size^2 at the edges.
struct ConvLayer {
  std::int64_t size = 3;
  AffineLayer affine = {};
  Padding padding = Padding::zero;
};

/// Mean over blocks of size x size pixels.
struct AveragePool {
  std::int64_t size = 2;
};

/// Pixels become features.
struct Flatten {};

/// Mean over all pixels.
struct GlobalAverage {};

using Layer = std::variant<AffineLayer, ConvLayer, Activation, AveragePool, Flatten, GlobalAverage>;

enum class NetworkKernel { nngp, ntk };

/// Infinitely wide network. Inputs enter as c = x.y / m over all m features of a vector, and as <x_p, y_p'> / channels
/// for the pixels p, p' of images. Networks of affine layers and activations alone take vectors; those with ConvLayer
/// or AveragePool take images of shape `input`, and need Flatten or GlobalAverage before their first affine layer.
struct Network {
  NetworkKernel which = NetworkKernel::ntk;
  std::vector<Layer> layers;
  ImageShape input = {};
};

/// Whether the network works on images: it has a ConvLayer, AveragePool or GlobalAverage.
[[nodiscard]] bool has_image_layers(const Network& network);

/// Affine layers with the activation between each two; the last is the readout.
[[nodiscard]] Network fully_connected(NetworkKernel which, const std::vector<AffineLayer>& affine,
                                      const Activation& activation = Rectifier{});

/// @throws Error(input) saying which layer of the list, counted from 1, does not fit its place and why.
void validate(const Network& network);

/// "ntk: infinitely wide network on vectors (x.y / m): 3 x [dense (weight variance 2, bias variance 0), ReLU], ...".
[[nodiscard]] std::string describe(const Network& network);
/// The same without "ntk of an infinitely wide network".
[[nodiscard]] std::string describe_layers(const Network& network);

}  // namespace stepwise
