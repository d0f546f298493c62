#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "stepwise/data/stored_matrix.hpp"

namespace stepwise {

// Kernels as values. m is the number of features of a sample, x.y the plain inner product.

/// x.y
struct LinearKernel {};

/// (x.y / m + offset)^degree
struct PolynomialKernel {
  std::int64_t degree = 3;
  double offset = 1;
};

/// exp(-|x - y|^2 / (2 l^2))
struct RbfKernel {
  double length_scale = 1;
};

/// exp(-|x - y| / l)
struct LaplaceKernel {
  double length_scale = 1;
};

/// Variances of one affine layer z = sqrt(weight_variance / fan_in) W x + sqrt(bias_variance) b, entries of W, b from
/// N(0, 1).
struct AffineLayer {
  double weight_variance = 2;
  double bias_variance = 0;
};

enum class NetworkKernel { nngp, ntk };

/// Infinitely wide fully connected network with the activation max(x, 0) + negative_slope min(x, 0): slope 0 is ReLU,
/// -1 the absolute value, others leaky ReLU. NTK parameterisation: affine, then depth times (activation, affine).
/// `layers` has depth + 1 entries; the last is the readout. Inputs enter as x.y / m.
struct ReluNetwork {
  NetworkKernel which = NetworkKernel::ntk;
  std::vector<AffineLayer> layers;
  double negative_slope = 0;

  /// E[phi(z)^2] / E[z^2] for normal z: (1 + slope^2) / 2.
  [[nodiscard]] double gain() const noexcept { return (1 + negative_slope * negative_slope) / 2; }
};

/// Entries of a matrix in a file. A sample is one number (IndexPairs): its row and column in `train`, or train->rows +
/// t for row t of `test`. What counts of `train` is its upper triangle.
struct PrecomputedKernel {
  std::shared_ptr<const StoredMatrix> train;
  std::shared_ptr<const StoredMatrix> test;  ///< test samples x training samples; may be null
};

using Kernel = std::variant<LinearKernel, PolynomialKernel, RbfKernel, LaplaceKernel, ReluNetwork, PrecomputedKernel>;

/// @throws Error(input) naming the option and value: variance below 0, length scale not above 0, depth or degree out of
/// range, negative polynomial offset (not positive semidefinite), anything not finite.
void validate(const Kernel& kernel);

/// One line for people and for result files: the formula with its parameters.
[[nodiscard]] std::string describe(const Kernel& kernel);

}  // namespace stepwise
