#include "stepwise/kernel/kernel.hpp"

#include <fmt/format.h>

#include <cmath>

#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

void check(const char* option, double value, bool good, const char* wanted) {
  if (!std::isfinite(value) || !good) fail(ExitCode::input, "{} is {}, must be {}", option, value, wanted);
}

void check_variances(const char* weight, const char* bias, const AffineLayer& layer) {
  check(weight, layer.weight_variance, layer.weight_variance >= 0, "a number >= 0");
  check(bias, layer.bias_variance, layer.bias_variance >= 0, "a number >= 0");
}

struct Validate {
  void operator()(const LinearKernel&) const {}
  void operator()(const PolynomialKernel& k) const {
    check("--kernel.degree", static_cast<double>(k.degree), k.degree >= 1 && k.degree <= 100,
          "a whole number from 1 to 100");
    check("--kernel.offset", k.offset, k.offset >= 0, "a number >= 0 (else the kernel is not positive semidefinite)");
  }
  void operator()(const RbfKernel& k) const { check_length(k.length_scale); }
  void operator()(const LaplaceKernel& k) const { check_length(k.length_scale); }
  void operator()(const ReluNetwork& k) const {
    if (k.layers.empty() || k.layers.size() > 10'001) {
      fail(ExitCode::input, "--kernel.depth is {}, must be a whole number from 0 to 10000",
           static_cast<std::int64_t>(k.layers.size()) - 1);
    }
    for (std::size_t l = 0; l + 1 < k.layers.size(); ++l) {
      check_variances("--kernel.weight-variance", "--kernel.bias-variance", k.layers[l]);
    }
    check_variances("--kernel.readout-weight-variance", "--kernel.readout-bias-variance", k.layers.back());
    check("--kernel.slope", k.negative_slope, true, "a finite number");
  }
  void operator()(const PrecomputedKernel& k) const {
    if (k.train == nullptr) fail(ExitCode::internal, "a precomputed kernel without its matrix");
  }
  static void check_length(double length) {
    check("--kernel.length-scale", length, length > 0,
          "a number > 0 (leave it out, or 0, for the square root of the number of features)");
  }
};

struct Describe {
  std::string operator()(const LinearKernel&) const { return "linear: x.y"; }
  std::string operator()(const PolynomialKernel& k) const {
    return fmt::format("polynomial: (x.y / m + {})^{}", k.offset, k.degree);
  }
  std::string operator()(const RbfKernel& k) const {
    return fmt::format("rbf: exp(-|x-y|^2 / (2 l^2)), l = {}", k.length_scale);
  }
  std::string operator()(const LaplaceKernel& k) const {
    return fmt::format("laplace: exp(-|x-y| / l), l = {}", k.length_scale);
  }
  std::string operator()(const ReluNetwork& k) const {
    const AffineLayer hidden = k.layers.front();
    const AffineLayer readout = k.layers.back();
    const std::string activation = k.negative_slope == 0    ? "ReLU"
                                   : k.negative_slope == -1 ? "absolute-value"
                                                            : fmt::format("leaky-ReLU({})", k.negative_slope);
    return fmt::format(
        "{}: fully connected {} network, {} hidden layers, NTK parameterisation, input x.y / m, weight variance {}, "
        "bias variance {}, readout weight variance {}, readout bias variance {}",
        k.which == NetworkKernel::ntk ? "ntk" : "nngp", activation, k.layers.size() - 1, hidden.weight_variance,
        hidden.bias_variance, readout.weight_variance, readout.bias_variance);
  }
  std::string operator()(const PrecomputedKernel& k) const {
    return fmt::format("precomputed: {}, {} x {}, {} precision, upper triangle", k.train->name, k.train->rows,
                       k.train->cols, k.train->single ? "single" : "double");
  }
};

}  // namespace

void validate(const Kernel& kernel) {
  std::visit(Validate{}, kernel);
}

std::string describe(const Kernel& kernel) {
  return std::visit(Describe{}, kernel);
}

}  // namespace stepwise
