#pragma once

#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// A number of each rank, seen from above.
struct Spread {
  double least = 0;
  double mean = 0;
  double most = 0;
  int where = 0;  ///< the rank that has the most
};

/// Collective.
[[nodiscard]] Spread spread_of(const Communicator& comm, double mine);

}  // namespace stepwise
