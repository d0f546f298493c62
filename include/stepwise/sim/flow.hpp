#pragma once

#include <cstdint>
#include <limits>

#include "stepwise/sim/dynamics.hpp"

namespace stepwise {

/// Gradient flow by an adaptive Runge-Kutta method: goes on to exactly the time `until`, or `max_steps` steps further,
/// or where the loss shows that it fails. The largest local error of any number of the state is kept below
/// `tolerance` times the largest number, agreed over the ranks. What one call does in n steps, calls with smaller
/// `max_steps` do to the bit. Collective. Cost: 13 velocities a step, and 12 of every step that was tried in vain.
/// Memory per rank: that of 18 states.
Outcome flow(const Dynamics& dynamics, double tolerance, double until, Training& training,
             std::int64_t max_steps = std::numeric_limits<std::int64_t>::max());

}  // namespace stepwise
