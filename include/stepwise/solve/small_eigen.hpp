#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// All eigenpairs of a small symmetric matrix that every rank holds.
struct SmallEigenpairs {
  std::vector<double> values;   ///< n, descending
  std::vector<double> vectors;  ///< n x n column-major, columns in the order of the values
};

/// `a` is n x n column-major; rank 0's is used, and solved there, so that all ranks get the same bits even on unlike
/// processors. Collective. @throws CollectiveError(numerical) when LAPACK's dsyevd fails. Cost on rank 0: about 9 n^3
/// flops.
[[nodiscard]] SmallEigenpairs small_eigenpairs(const Communicator& comm, const std::vector<double>& a, std::int64_t n);

}  // namespace stepwise
