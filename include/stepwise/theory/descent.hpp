#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace stepwise {

// Gradient descent in place of gradient flow: from aligned weights every mode keeps to itself, and a step of learning
// rate eta is s <- s + 4 eta gamma (1 - gamma s^2) s. As eta falls this tends to singular_value() at t = eta x steps; a
// mode rises later by a fraction of about 2 eta gamma. Pure functions.

/// s of one mode after each of `steps`, which ascend. Cost: 5 flops a step. Not finite where the rate is not stable.
/// Ends early, with values that mean nothing, once the process has been asked to stop (core/stop.hpp).
[[nodiscard]] std::vector<double> descended_singular_values(double gamma, double s0, double rate,
                                                            std::span<const std::int64_t> steps);

/// Where a curve that rises to 1 from below crosses 1/2, in units of x: linear in log(l / (1 - l)) between the points
/// beside it, which is exact for lambda(t). NaN if it does not.
[[nodiscard]] double half_rise_of(std::span<const double> x, std::span<const double> curve);

}  // namespace stepwise
