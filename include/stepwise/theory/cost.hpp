#pragma once

#include <cstdint>

#include "stepwise/dist/process_grid.hpp"
#include "stepwise/theory/contrastive.hpp"

namespace stepwise {

// Predicted work in units of one flop of a large matrix product on all cores, so that numbers of different kinds
// compare: what runs at half that speed counts twice. Constants are measured (docs/scaling.md).

/// One eigensolve: all eigenvalues of a symmetric matrix of this order, and so many eigenvectors.
[[nodiscard]] double eigensolve_cost(std::int64_t order, std::int64_t vectors);
/// One factorisation by Cholesky, and one product W^T B W.
[[nodiscard]] double cholesky_cost(std::int64_t order);
[[nodiscard]] double contrastive_product_cost(std::int64_t order, Factorisation factorisation);
/// All of a direct method after the kernel matrix: the sum of the above.
[[nodiscard]] double direct_cost(std::int64_t samples, Factorisation factorisation, std::int64_t modes = 0);

/// Passes over K that the Krylov method needs for so many modes with blocks of `block` vectors.
[[nodiscard]] double krylov_passes(std::int64_t modes, std::int64_t block);
/// Orthogonalisation of `vectors` vectors one block after another against a basis of `basis`.
[[nodiscard]] double orthogonalisation_cost(std::int64_t samples, std::int64_t basis, double vectors);
/// Products with K and orthogonalisation.
[[nodiscard]] double krylov_cost(std::int64_t samples, std::int64_t modes);

[[nodiscard]] double primal_cost(std::int64_t samples, std::int64_t features, std::int64_t modes = 0);

/// What an eigensolver needs beyond the matrix and its eigenvectors, in local matrices.
[[nodiscard]] double eigensolver_workspace(GridShape grid, std::int64_t order, std::int64_t vectors);

}  // namespace stepwise
