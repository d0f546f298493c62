#include "stepwise/kernel/kernel.hpp"

#include <fmt/format.h>

#include <cmath>

#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

void check(const char* option, double value, bool good, const char* wanted) {
  if (!std::isfinite(value) || !good) fail(ExitCode::input, "{} is {}, must be {}", option, value, wanted);
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
  void operator()(const Network& k) const { stepwise::validate(k); }
  void operator()(const LayerwiseKernel&) const {}
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
  std::string operator()(const Network& k) const { return stepwise::describe(k); }
  std::string operator()(const LayerwiseKernel& k) const {
    return fmt::format("sum of {} products of inner products", k.terms.size());
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
