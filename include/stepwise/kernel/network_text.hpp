#pragma once

#include <cstdint>
#include <string>

#include "stepwise/kernel/network.hpp"

namespace stepwise {

/// What a network's text leaves out.
struct NetworkDefaults {
  AffineLayer hidden = {};
  AffineLayer readout = {};  ///< of the last layer, if that is dense
  Activation activation = Rectifier{};
};

/// relu, leaky-relu [SLOPE], abs, erf, gelu, sin, rbf [GAMMA], sign, arccos ORDER, tanh, sigmoid, softplus, silu.
/// @throws Error(input) with the words that are known.
[[nodiscard]] Activation parse_activation(const std::string& text);

/// Layers from a list such as "conv 3, relu, avgpool 2, conv 3 w=1.5 b=0.1, relu, gap, dense", or a preset:
///
///   fc-L         L times (dense, activation), dense
///   cnn-L        L times (conv 3, activation), flatten, dense
///   cnn-gap-L    L times (conv 3, activation), gap, dense
///   myrtle5, myrtle7, myrtle10   convolutions in three groups with avgpool 2 between, gap, dense (Shankar et al. 2020)
///
/// `dense` and `conv SIZE [circular]` take w=, b= (variances of weights and biases) and `frozen` (not trained).
/// Activations as in parse_activation. @throws Error(input) naming the element and what is wrong with it.
[[nodiscard]] std::vector<Layer> parse_layers(const std::string& text, const NetworkDefaults& defaults);

/// Standard parameterisation: weights from N(0, weight_variance / fan_in) and biases are the parameters themselves, so
/// that a layer adds fan_in c + 1 to the NTK (1 where it has biases) (Sohl-Dickstein et al. 2020). `width` is that of
/// hidden layers, `features` the length of an input vector. Frozen layers stay frozen.
void use_standard_parameterisation(Network& network, std::int64_t width, std::int64_t features);

/// Which other code's numbers a ReLU network's kernel shall be equal to (docs/kernels.md).
enum class Convention {
  neural_tangents,  ///< as it stands
  cntk,             ///< Arora et al. 2019: inputs not divided by channels or features, E[phi^2] = E[z^2], trace readout
  cntk_fixed,       ///< the same, first and last layer not trained
  uci,              ///< Arora et al. 2020 (UCI): inputs not divided, weight variance 1
  scikit_ntk,       ///< inputs not divided, biases in the NTK only, divided by (depth + 1)(1 + bias variance)
};

/// Rewrites the variances and NTK weights of the layers. @throws Error(input) when the network has no counterpart in
/// that code, saying why.
void use_convention(Network& network, Convention convention, std::int64_t features);

}  // namespace stepwise
