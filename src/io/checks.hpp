#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stepwise/dist/dist_matrix.hpp"
#include "stepwise/io/hyperslab.hpp"

namespace stepwise {

// What must be right before ranks read or write one dataset together.

/// All ranks must be about to make the same HDF5 calls: where one goes another way, the others wait for it for ever.
/// `text` says what this rank is about to do. Collective. @throws CollectiveError(internal).
void expect_same(const Communicator& comm, const std::string& text);

/// Every row must be on one rank, and groups of `group` rows together; `fits`: this rank has as many numbers as it
/// says. Collective. @throws CollectiveError(internal).
void check_share(const Communicator& comm, const std::string& path, std::int64_t samples, std::int64_t width, Range own,
                 std::int64_t group, bool fits);

/// @throws Error(internal) unless whole samples with all their views are in each block of the matrix.
void check_stacked(const std::string& path, const DistMatrix& matrix, StackedViews views);

/// This rank's rows in as many ranges as the rank with the most rows needs to move few enough numbers at a time; those
/// that are left over are empty. Collective.
[[nodiscard]] std::vector<Range> pieces(const Communicator& comm, Range own, std::int64_t width);

}  // namespace stepwise
