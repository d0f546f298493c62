#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "stepwise/kernel/network.hpp"

// Finite networks: what random features and empirical tangent kernels have in common.

namespace stepwise {

/// Affine layers with one activation between each two.
struct Perceptron {
  std::vector<AffineLayer> affine;      ///< the last is the readout
  std::vector<Activation> activations;  ///< behind each affine layer but the last
};

/// Nothing for networks of other layers.
[[nodiscard]] std::optional<Perceptron> perceptron(const Network& network);

/// rows x cols numbers from N(0, 1), column-major, a function of (seed, layer, view, column) alone: every rank draws
/// the same.
[[nodiscard]] std::vector<double> normal_numbers(std::uint64_t seed, std::int64_t layer, std::int64_t rows,
                                                 std::int64_t cols, int view);

/// scale W^T x + bias for each column x of `data`; W is inputs x outputs, `biases` one number an output, or empty.
[[nodiscard]] std::vector<double> affine(const std::vector<double>& weights, const std::vector<double>& biases,
                                         std::int64_t outputs, std::int64_t inputs, const std::vector<double>& data,
                                         double scale);

}  // namespace stepwise
