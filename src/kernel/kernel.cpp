#include "stepwise/kernel/kernel.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

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
  void operator()(const NormalisedKernel& k) const { validate(k.of->kernel); }
  void operator()(const KernelSum& k) const {
    for (const KernelTerm& term : k.terms) {
      check("a weight in --kernel.type", term.weight, term.weight >= 0,
            "a number >= 0 (else the kernel is not positive semidefinite)");
      for (const KernelPart& factor : term.factors) validate(factor->kernel);
    }
  }
  void operator()(const MultimodalKernel& k) const {
    validate(k.a->kernel);
    validate(k.b->kernel);
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
  std::string operator()(const Network& k) const { return stepwise::describe(k); }
  std::string operator()(const LayerwiseKernel& k) const {
    return fmt::format("sum of {} products of inner products", k.terms.size());
  }
  std::string operator()(const NormalisedKernel& k) const {
    return fmt::format("k(x, y) / sqrt(k(x, x) k(y, y)) of [{}]", describe(k.of->kernel));
  }
  std::string operator()(const KernelSum& k) const {
    std::string text;
    for (const KernelTerm& term : k.terms) {
      text += fmt::format("{}{}", text.empty() ? "" : " + ", term.weight);
      for (const KernelPart& factor : term.factors) text += fmt::format(" * [{}]", describe(factor->kernel));
    }
    return text;
  }
  std::string operator()(const MultimodalKernel& k) const {
    return fmt::format("two modalities, zero between them: view_a [{}], view_b [{}]", describe(k.a->kernel),
                       describe(k.b->kernel));
  }
  std::string operator()(const PrecomputedKernel& k) const {
    return fmt::format("precomputed: {}, {} x {}, {} precision, upper triangle", k.train->name, k.train->rows,
                       k.train->cols, k.train->single ? "single" : "double");
  }
};

}  // namespace

KernelPart boxed(Kernel kernel) {
  return std::make_shared<const BoxedKernel>(BoxedKernel{std::move(kernel)});
}

void validate(const Kernel& kernel) {
  std::visit(Validate{}, kernel);
}

std::string describe(const Kernel& kernel) {
  return std::visit(Describe{}, kernel);
}

}  // namespace stepwise
