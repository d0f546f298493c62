#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace stepwise {

// Gradient descent in place of gradient flow: from aligned weights every mode keeps to itself, and a step of learning
// rate eta is s <- s + 4 eta gamma (1 - gamma s^2) s. As eta falls this tends to singular_value() at t = eta x steps; a
// mode rises later by a fraction of about 2 eta gamma. With momentum m (heavy ball) v <- m v + 4 gamma (1 - gamma s^2)
// s, s <- s + eta v from v = 0, which tends to singular_value() at t / (1 - m). Pure functions.

/// s of one mode after each of `steps`, which ascend. Cost: 7 flops a step. Not finite where the rate is not stable.
/// Ends early, with values that mean nothing, once the process has been asked to stop (core/stop.hpp).
[[nodiscard]] std::vector<double> descended_singular_values(double gamma, double s0, double rate,
                                                            std::span<const std::int64_t> steps, double momentum = 0);

/// How fast a mode far from learned grows by heavy-ball descent, over how fast by gradient flow: log(x) / (4 eta gamma)
/// with s ~ x^steps. 1 / (1 - m) for small rates, less for larger ones.
[[nodiscard]] double descent_speed(double gamma, double rate, double momentum);

/// Where a curve that rises to 1 from below crosses 1/2, in units of x: linear in log(l / (1 - l)) between the points
/// beside it, which is exact for lambda(t). NaN if it does not.
[[nodiscard]] double half_rise_of(std::span<const double> x, std::span<const double> curve);

}  // namespace stepwise
