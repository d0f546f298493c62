#include "stepwise/kernel/activation.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numbers>

#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

using std::numbers::pi;
using std::numbers::sqrt2;

/// Distribution function of N(0, 1).
double normal_distribution(double x) {
  return 0.5 * std::erfc(-x / sqrt2);
}
double normal_density(double x) {
  return std::exp(-0.5 * x * x) / std::sqrt(2 * pi);
}

double sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}
double sigmoid_derivative(double x) {
  return sigmoid(x) * sigmoid(-x);
}
double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}
double silu(double x) {
  return x * sigmoid(x);
}
double silu_derivative(double x) {
  return sigmoid(x) + x * sigmoid_derivative(x);
}
double tanh_derivative(double x) {
  const double c = std::cosh(x);
  return 1 / (c * c);
}
double tanh_value(double x) {
  return std::tanh(x);
}

const std::array scalar_activations{
    ScalarActivation{"tanh", tanh_value, tanh_derivative},
    ScalarActivation{"sigmoid", sigmoid, sigmoid_derivative},
    ScalarActivation{"softplus", softplus, sigmoid},
    ScalarActivation{"silu", silu, silu_derivative},
};

struct Value {
  double x;
  double operator()(const Rectifier& f) const { return x > 0 ? x : f.negative_slope * x; }
  double operator()(const ErrorFunction&) const { return std::erf(x); }
  double operator()(const Gelu&) const { return x * normal_distribution(x); }
  double operator()(const Sine&) const { return std::sin(x); }
  double operator()(const RbfActivation& f) const { return sqrt2 * std::sin(std::sqrt(2 * f.gamma) * x + pi / 4); }
  double operator()(const Sign&) const { return static_cast<double>((x > 0) - (x < 0)); }
  double operator()(const ArcCosine& f) const { return x > 0 ? sqrt2 * std::pow(x, f.order) : 0; }
  double operator()(const ScalarActivation& f) const { return f.function(x); }
};

struct Derivative {
  double x;
  double operator()(const Rectifier& f) const { return x > 0 ? 1 : f.negative_slope; }
  double operator()(const ErrorFunction&) const { return 2 / std::sqrt(pi) * std::exp(-x * x); }
  double operator()(const Gelu&) const { return normal_distribution(x) + x * normal_density(x); }
  double operator()(const Sine&) const { return std::cos(x); }
  double operator()(const RbfActivation& f) const {
    const double frequency = std::sqrt(2 * f.gamma);
    return sqrt2 * frequency * std::cos(frequency * x + pi / 4);
  }
  double operator()(const Sign&) const { return 0; }
  double operator()(const ArcCosine& f) const {
    return x > 0 && f.order > 0 ? sqrt2 * f.order * std::pow(x, f.order - 1) : 0;
  }
  double operator()(const ScalarActivation& f) const { return f.derivative(x); }
};

struct SecondMoment {
  double a;
  double operator()(const Rectifier& f) const { return f.gain() * a; }
  double operator()(const ErrorFunction&) const { return 2 / pi * std::asin(2 * a / (1 + 2 * a)); }
  double operator()(const Gelu&) const {
    return a / 4 + a / (2 * pi) * std::asin(a / (1 + a)) + a * a / (pi * (1 + a) * std::sqrt(1 + 2 * a));
  }
  double operator()(const Sine&) const { return -0.5 * std::expm1(-2 * a); }
  double operator()(const RbfActivation&) const { return 1; }
  double operator()(const Sign&) const { return a > 0 ? 1 : 0; }
  double operator()(const ArcCosine& f) const {
    if (f.order == 0) return a > 0 ? 1 : 0;
    return f.order == 1 ? a : 3 * a * a;
  }
  // The trapezoidal rule: exponentially accurate for analytic functions that decay.
  double operator()(const ScalarActivation& f) const {
    constexpr int half = 512;
    constexpr double step = 12.0 / half;
    const double deviation = std::sqrt(a);
    double sum = 0;
    for (int i = -half; i <= half; ++i) {
      const double z = i * step;
      const double y = f.function(deviation * z);
      sum += normal_density(z) * y * y;
    }
    return step * sum;
  }
};

struct Describe {
  std::string operator()(const Rectifier& f) const {
    if (f.negative_slope == 0) return "ReLU";
    if (f.negative_slope == -1) return "absolute value";
    return fmt::format("leaky ReLU({})", f.negative_slope);
  }
  std::string operator()(const ErrorFunction&) const { return "erf"; }
  std::string operator()(const Gelu&) const { return "GELU"; }
  std::string operator()(const Sine&) const { return "sin"; }
  std::string operator()(const RbfActivation& f) const { return fmt::format("rbf({})", f.gamma); }
  std::string operator()(const Sign&) const { return "sign"; }
  std::string operator()(const ArcCosine& f) const { return fmt::format("arc-cosine {}", f.order); }
  std::string operator()(const ScalarActivation& f) const { return f.name; }
};

}  // namespace

double value(const Activation& activation, double x) {
  return std::visit(Value{x}, activation);
}

double derivative(const Activation& activation, double x) {
  return std::visit(Derivative{x}, activation);
}

double second_moment(const Activation& activation, double a) {
  return std::visit(SecondMoment{a}, activation);
}

std::string describe(const Activation& activation) {
  return std::visit(Describe{}, activation);
}

ScalarActivation scalar_activation(const std::string& name) {
  std::string known;
  for (const ScalarActivation& candidate : scalar_activations) {
    if (candidate.name == name) return candidate;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", candidate.name);
  }
  fail(ExitCode::input, "there is no activation '{}'; by quadrature there are {}", name, known);
}

void validate(const Activation& activation) {
  if (const auto* f = std::get_if<Rectifier>(&activation); f != nullptr && !std::isfinite(f->negative_slope)) {
    fail(ExitCode::input, "the slope of leaky-relu is {}, must be a finite number", f->negative_slope);
  }
  if (const auto* f = std::get_if<RbfActivation>(&activation);
      f != nullptr && !(f->gamma > 0 && std::isfinite(f->gamma))) {
    fail(ExitCode::input, "gamma of the rbf activation is {}, must be a number > 0", f->gamma);
  }
  if (const auto* f = std::get_if<ArcCosine>(&activation); f != nullptr && (f->order < 0 || f->order > 2)) {
    fail(ExitCode::input, "the order of the arc-cosine kernel is {}, must be 0, 1 or 2", f->order);
  }
}

}  // namespace stepwise
