#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// The highest accuracy, the last of equals.
[[nodiscard]] std::size_t best_penalty(std::span<const double> validation);

/// Counts summed over the ranks, as shares of all samples. Collective.
[[nodiscard]] std::vector<double> shares(const Communicator& comm, std::vector<std::int64_t> right,
                                         std::int64_t samples);

}  // namespace stepwise
