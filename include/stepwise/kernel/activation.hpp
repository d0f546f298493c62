#pragma once

#include <span>
#include <string>
#include <variant>

namespace stepwise {

// Activations phi as values. In an infinitely wide network they act on pairs of normal signals through
// T(a, b, c) = E[phi(u) phi(v)] and its derivative E[phi'(u) phi'(v)], where E u^2 = a, E v^2 = b, E uv = c.

/// max(x, 0) + negative_slope min(x, 0): slope 0 is ReLU, -1 the absolute value, others leaky ReLU.
struct Rectifier {
  double negative_slope = 0;

  /// E[phi(z)^2] / E[z^2] for normal z: (1 + slope^2) / 2.
  [[nodiscard]] double gain() const noexcept { return (1 + negative_slope * negative_slope) / 2; }
};

/// erf(x), the error function (not the one of variance 1).
struct ErrorFunction {};

/// x Phi(x), Phi the distribution function of N(0, 1).
struct Gelu {};

/// sin(x)
struct Sine {};

/// sqrt(2) sin(sqrt(2 gamma) x + pi / 4), for which T = exp(-gamma E(u - v)^2).
struct RbfActivation {
  double gamma = 1;
};

/// -1, 0 or 1. Its derivative counts as 0.
struct Sign {};

/// sqrt(2) x^order for x > 0, else 0; order 0, 1, 2: the arc-cosine kernels (Cho, Saul, NIPS 2009). The derivative of
/// order 0 counts as 0.
struct ArcCosine {
  int order = 1;
};

/// Any other analytic function, by Gauss-Hermite quadrature.
struct ScalarActivation {
  const char* name = "";
  double (*function)(double) = nullptr;
  double (*derivative)(double) = nullptr;
};

using Activation = std::variant<Rectifier, ErrorFunction, Gelu, Sine, RbfActivation, Sign, ArcCosine, ScalarActivation>;

/// phi(x).
[[nodiscard]] double value(const Activation& activation, double x);
/// phi'(x).
[[nodiscard]] double derivative(const Activation& activation, double x);

/// z <- phi(z) and slopes <- phi'(z) for all numbers of two arrays of one length; vectorised for ReLU, tanh, erf and
/// GELU, to a few units in the last place of value() and derivative(). Local, on all threads.
void activate(const Activation& activation, std::span<double> z, std::span<double> slopes);

/// T(a, a, a) = E[phi(z)^2] for z from N(0, a).
[[nodiscard]] double second_moment(const Activation& activation, double a);

/// "ReLU", "leaky-ReLU(0.01)", "erf": for people.
[[nodiscard]] std::string describe(const Activation& activation);

/// tanh, sigmoid, softplus or silu. @throws Error(input) for another name.
[[nodiscard]] ScalarActivation scalar_activation(const std::string& name);

/// @throws Error(input) naming the parameter out of range.
void validate(const Activation& activation);

}  // namespace stepwise
