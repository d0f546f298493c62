#pragma once

#include <vector>

#include "stepwise/dist/dist_matrix.hpp"

namespace stepwise {

/// All eigenvalues, ascending, and the eigenvectors of the `count` smallest of a symmetric matrix, which is destroyed.
/// `vectors` is n x n; columns from `count` on are undefined. With count = 0 it is not touched. Collective; ELPA's
/// status is agreed on.
/// @throws CollectiveError(numerical) with ELPA's own message.
void elpa_smallest(DistMatrix& a, std::int64_t count, bool two_stage, std::vector<double>& values, DistMatrix& vectors);

}  // namespace stepwise
