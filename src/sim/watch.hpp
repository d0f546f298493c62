#pragma once

#include <algorithm>
#include <cmath>

#include "stepwise/sim/dynamics.hpp"

namespace stepwise {

/// Keeps the loss that training started with, and compares with it; rounding is no divergence.
inline Outcome watch(Training& training, double loss) {
  if (!training.start_loss) training.start_loss = loss;
  const double start = *training.start_loss;
  return {loss, !(loss <= start + 1e-6 * std::max(start, 1.0))};
}

}  // namespace stepwise
