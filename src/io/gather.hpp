#pragma once

#include <functional>

#include "stepwise/dist/block_vector.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// Calls `visit` on rank 0 with some rows at a time of all ranks, about 1 MiB, whole groups of `group` rows, one in
/// each column. Collective. Memory of rank 0: 1 MiB, or one group. @throws CollectiveError with what `visit` throws.
void gather_rows(const Communicator& comm, const BlockVector& values, std::int64_t group,
                 const std::function<void(Range rows, MatrixView<const double> part)>& visit);

}  // namespace stepwise
