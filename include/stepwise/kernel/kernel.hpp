#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/data/stored_matrix.hpp"
#include "stepwise/kernel/composite.hpp"
#include "stepwise/kernel/network.hpp"

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

/// Sum over terms of (x_left . y_left) (x_right . y_right), x_left being the numbers of x in that range; an empty right
/// range stands for the factor 1.
struct LayerwiseKernel {
  struct Term {
    Range left;
    Range right;
  };
  std::vector<Term> terms;
};

/// Entries of a matrix in a file. A sample is one number (IndexPairs): its row and column in `train`, or train->rows +
/// t for row t of `test`. What counts of `train` is its upper triangle.
struct PrecomputedKernel {
  std::shared_ptr<const StoredMatrix> train;
  std::shared_ptr<const StoredMatrix> test;  ///< test samples x training samples; may be null
};

using Kernel = std::variant<LinearKernel, PolynomialKernel, RbfKernel, LaplaceKernel, Network, LayerwiseKernel,
                            NormalisedKernel, KernelSum, MultimodalKernel, PrecomputedKernel>;

struct BoxedKernel {
  Kernel kernel;
};

/// The kernel as a part of others.
[[nodiscard]] KernelPart boxed(Kernel kernel);

/// @throws Error(input) naming the option and value: variance below 0, length scale not above 0, depth or degree out of
/// range, negative polynomial offset or weight in a sum (not positive semidefinite), anything not finite.
void validate(const Kernel& kernel);

/// One line for people and for result files: the formula with its parameters.
[[nodiscard]] std::string describe(const Kernel& kernel);

}  // namespace stepwise
