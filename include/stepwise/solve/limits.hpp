#pragma once

#include <cstdint>

#include "stepwise/dist/process_grid.hpp"

namespace stepwise {

// Where the 32-bit integers of the libraries underneath end: known before anything is allocated. Pure arithmetic.

/// Numbers of workspace that pdsyevd needs for order n on the process that needs most, with its own query's mistakes
/// made good.
[[nodiscard]] std::int64_t pdsyevd_workspace(std::int64_t n, std::int64_t block, GridShape grid);

/// Whether a dense eigensolve of order n stays below 2^31 in everything that ScaLAPACK and ELPA count in 32 bits: the
/// order, a rank's part of the matrix, and workspace.
[[nodiscard]] bool dense_solve_fits(std::int64_t n, std::int64_t block, GridShape grid);

/// The smallest number of ranks for which it does on nearly_square(ranks); 0: no number of them is enough.
[[nodiscard]] std::int64_t smallest_rank_count(std::int64_t n, std::int64_t block);

/// Largest order of a matrix that LAPACK's dsyevd diagonalises on one rank: 1 + 6 n + 2 n^2 numbers of workspace.
inline constexpr std::int64_t largest_projected_order = 32'766;

}  // namespace stepwise
