#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stepwise/kernel/kernel.hpp"

namespace stepwise {

/// How the outputs f_1 .. f_K of a network share one kernel. Both have the infinite network's NTK as their limit.
enum class MultiOutput {
  trace,   ///< (1/K) sum_k grad f_k(x) . grad f_k(y)
  scalar,  ///< grad f(x) . grad f(y) with f = K^(-1/2) sum_k f_k, K times cheaper
};

inline constexpr std::int64_t most_width = 1'000'000;
inline constexpr std::int64_t most_networks = 10'000;

/// Fully connected networks of finite width with weights from N(0, 1).
struct FiniteNetworks {
  Network layers;  ///< affine layers with an activation between each two
  std::int64_t width = 1;
  std::int64_t networks = 1;  ///< the kernel is the mean over so many, each with weights of its own
  std::int64_t outputs = 1;
  MultiOutput multi_output = MultiOutput::trace;
};

/// Weights of finite networks, and how a sample's tangent features are laid out. Same on every rank.
///
/// Affine layer l = 1 .. L + 1 is z_l = sqrt(w / fan_in) W^T h_{l-1} + sqrt(b) beta, h_0 = x, h_l = phi(z_l). What its
/// own parameters add to the NTK is (t h.h' / fan_in + s) (d_l . d_l'), d_l = df / dz_l and t, s its tangent weights
/// (w and b in NTK parameterisation). So a sample becomes
///
///   [ h_0 | d_1 of every network | h_L of every network | of every network h_1, d_2, h_2, d_3, .., d_L ]
///
/// with h scaled by sqrt(t / fan_in) and followed by sqrt(s), d by networks^(-1/2) and holding the signals of all
/// outputs. Layers that are not trained leave theirs out. `kernel` says which parts are multiplied.
struct TangentFeatures {
  /// Where a network's parts begin, behind affine layers 1, 2, ..; -1: left out.
  struct Place {
    std::int64_t entering = -1;  ///< h_{l-1}
    std::int64_t signals = -1;   ///< d_l; none for the readout, whose signal is constant
  };
  struct Weights {
    std::vector<std::vector<double>> layers;  ///< of each layer but the readout, fan-in x fan-out, column-major
    std::vector<std::vector<double>> biases;  ///< sqrt(b) beta of the same layers; empty without
    std::vector<double> readout;              ///< width x K divided by sqrt(K); scalar: the sum of its columns
  };
  FiniteNetworks of;
  std::int64_t inputs = 0;                 ///< m
  std::int64_t count = 0;                  ///< numbers a sample becomes
  std::vector<std::vector<Place>> places;  ///< of every network and affine layer
  LayerwiseKernel kernel;
  std::vector<Weights> weights;  ///< of every network
};

/// Draws the networks. Local. @throws Error(input) when the network is not fully connected, no layer is trained, or a
/// size is below 1; the options are named. Memory: tangent_numbers().
[[nodiscard]] TangentFeatures draw_networks(const FiniteNetworks& of, std::int64_t inputs, std::uint64_t seed);

/// How many numbers weights and one sample's features are, S (W m + (L - 1) W^2 + W K) and, for the trace, m +
/// S L W (1 + K) in S networks of L hidden layers: a double, because it need not fit an integer.
[[nodiscard]] double tangent_numbers(const FiniteNetworks& of, std::int64_t inputs);

/// The features of each column of `data` (inputs x n): count x n, column-major. Local.
/// Cost a sample: 2 S (W m + (1 + K) (L - 1) W^2) flops, scalar as K = 1; no Jacobian is formed.
[[nodiscard]] std::vector<double> feature_vectors(const TangentFeatures& features, const std::vector<double>& data);

/// "empirical ntk, mean over 3 networks of width 256, ...".
[[nodiscard]] std::string describe(const FiniteNetworks& of);

}  // namespace stepwise
