#include "stepwise/theory/cost.hpp"

#include <algorithm>

#include "stepwise/solve/krylov.hpp"

namespace stepwise {
namespace {

double cube(std::int64_t n) {
  const auto x = static_cast<double>(n);
  return x * x * x;
}
double square(std::int64_t n) {
  const auto x = static_cast<double>(n);
  return x * x;
}

/// Two-stage ELPA where at most half of the vectors are wanted, one-stage otherwise (solver_ladder).
bool by_two_stages(std::int64_t order, std::int64_t vectors) {
  return 2 * vectors <= order;
}

}  // namespace

double eigensolve_cost(std::int64_t order, std::int64_t vectors) {
  const double tridiagonalisation = by_two_stages(order, vectors) ? 3 : 4;  // 4/3 n^3 flops, not those of a product
  return tridiagonalisation * cube(order) + 4 * square(order) * static_cast<double>(vectors);
}

double cholesky_cost(std::int64_t order) {
  return cube(order) / 2;  // n^3 / 3 flops
}

double contrastive_product_cost(std::int64_t order, Factorisation factorisation) {
  return (factorisation == Factorisation::cholesky ? 0.5 : 2) * cube(order);  // a third of 2 n^3 flops, or all
}

double direct_cost(std::int64_t samples, Factorisation factorisation, std::int64_t modes) {
  const double factor =
      factorisation == Factorisation::cholesky ? cholesky_cost(samples) : eigensolve_cost(samples, samples);
  return factor + contrastive_product_cost(samples, factorisation) + eigensolve_cost(samples, modes);
}

double krylov_passes(std::int64_t modes, std::int64_t block) {
  return 15 + 6.6 * static_cast<double>(modes) / static_cast<double>(block);
}

double orthogonalisation_cost(std::int64_t samples, std::int64_t basis, double vectors) {
  return 10 * static_cast<double>(samples) * static_cast<double>(basis) * vectors;
}

double krylov_cost(std::int64_t samples, std::int64_t modes) {
  const KrylovSizes sizes = krylov_sizes(samples, {.modes = modes});
  const double vectors = krylov_passes(modes, sizes.block) * static_cast<double>(sizes.block);
  return 2 * square(samples) * vectors + orthogonalisation_cost(samples, sizes.basis, vectors);
}

double primal_cost(std::int64_t samples, std::int64_t features, std::int64_t modes) {
  return static_cast<double>(samples) * square(features) + eigensolve_cost(features, modes);
}

double eigensolver_workspace(GridShape grid, std::int64_t order, std::int64_t vectors) {
  constexpr double one_stage = 2.2;
  if (!by_two_stages(order, vectors)) return one_stage;
  return std::min(grid.rows, grid.cols) > 1 ? 3.4 : 2.5;
}

}  // namespace stepwise
