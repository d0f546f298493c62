#pragma once

#include <cstdint>
#include <span>

#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// The ranks that give the same `colour`, in the order they have in `comm`. Collective.
[[nodiscard]] Communicator split(const Communicator& comm, int colour);

/// counts[r] numbers of each rank r, one rank's behind the other's, on every rank. `own` may be its
/// place in `all`. Collective. @throws Error(memory) when a count is beyond 32 bits.
void gather(const Communicator& comm, std::span<const double> own, std::span<const std::int64_t> counts,
            std::span<double> all);

/// The inverse with a sum: of the element-wise sum of all ranks' `all`, rank r receives the r-th part of counts[r]
/// numbers. Collective. @throws Error(memory) when a count is beyond 32 bits.
void sum_and_deal(const Communicator& comm, std::span<const double> all, std::span<const std::int64_t> counts,
                  std::span<double> own);

}  // namespace stepwise
