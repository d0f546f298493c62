#pragma once

#include "stepwise/theory/contrastive.hpp"

// What the methods that compute the whole spectrum share.

namespace stepwise {

/// Sets the noise floor, and the counts of gamma above it.
void count_modes(ContrastiveModes& modes, DirectReport& report);

/// @throws CollectiveError(input) when d of n pairs' modes are wanted but only `found` are positive.
void require_modes(std::int64_t d, std::int64_t pairs, std::int64_t found, double noise_floor);

/// Sets trace_error from all of gamma, as the eigensolver found them, and the mean pair kernel.
void compare_trace(const ContrastiveModes& modes, DirectReport& report);

/// Looks at everything that was measured.
/// @throws CollectiveError(numerical) when residuals or the sum of gamma are worse than rounding can make them.
void check_modes(ContrastiveModes& modes, const DirectReport& report);

}  // namespace stepwise
