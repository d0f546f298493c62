#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/kernel/kernel.hpp"
#include "stepwise/kernel/samples.hpp"

namespace stepwise {

/// An explicit random map phi with E[phi(x).phi(y)] = k(x, y), the same on every rank.
///
/// rbf: random Fourier features sqrt(2/F) (cos(w.x / l), sin(w.x / l)), w from N(0, 1) (Rahimi, Recht, NIPS 2007).
/// nngp: the scaled activations of the last hidden layer of one network of width F, whose weights are drawn from
/// N(0, 1), and one constant feature where the readout has a bias.
/// The error of one entry is about k / sqrt(F).
struct RandomFeatures {
  Kernel kernel;
  std::int64_t inputs = 0;                   ///< m
  std::int64_t count = 0;                    ///< F
  std::vector<std::vector<double>> weights;  ///< of each layer, fan-in x fan-out, column-major
  std::vector<std::vector<double>> biases;   ///< of each layer; empty where the layer has none
};

/// Draws the map. Local. @throws Error(input) when the kernel has no such features, F is odd for rbf, or too small; the
/// options are named. Memory: 8 F (m + (L - 1) F) bytes for L hidden layers (rbf: 4 m F).
[[nodiscard]] RandomFeatures draw_features(const Kernel& kernel, std::int64_t inputs, std::int64_t count,
                                           std::uint64_t seed);

/// How many numbers the weights are, F (m + (L - 1) F), at most: a double, because it need not fit an integer.
[[nodiscard]] double feature_numbers(const Kernel& kernel, std::int64_t inputs, std::int64_t count);

/// phi of each column of `data` (inputs x n): count x n, column-major. Local. Cost 2 (m + (L - 1) F) F flops a sample.
[[nodiscard]] std::vector<double> feature_vectors(const RandomFeatures& features, const std::vector<double>& data);

}  // namespace stepwise
