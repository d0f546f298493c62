#include "size_limits.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "solve_plan.hpp"
#include "stepwise/dist/block_cyclic.hpp"
#include "stepwise/solve/limits.hpp"

namespace stepwise {
namespace {

/// `order`: of the matrix to diagonalise, whose blocks are multiples of `unit`.
void check_dense(const SolveConfig& config, const std::string& what, std::int64_t order, std::int64_t unit,
                 GridShape grid, const std::string& otherwise) {
  const std::int64_t block = fitting_block(order, std::max(grid.rows, grid.cols), config.solver.block_size, unit);
  if (dense_solve_fits(order, block, grid)) return;
  const std::int64_t ranks = smallest_rank_count(order, config.solver.block_size);
  const std::string advice = ranks > 0 ? fmt::format("use at least {} ranks", ranks) : "no number of ranks is enough";
  throw CollectiveError(ExitCode::memory,
                        fmt::format("{} diagonalises a matrix of order {}, too large on a grid of {}x{} for the 32-bit "
                                    "integers of ScaLAPACK and ELPA: {}{}",
                                    what, order, grid.rows, grid.cols, advice, otherwise));
}

void check_krylov(const SolveConfig& config, const std::string& what, std::int64_t samples) {
  const std::int64_t basis = krylov_sizes(samples, krylov_options(config)).basis;
  if (basis <= largest_projected_order) return;
  throw CollectiveError(ExitCode::memory,
                        fmt::format("{} with --modes {} has a basis of {} vectors, more than the {} that the 32-bit "
                                    "integers of LAPACK allow: ask for fewer modes, or choose --solver.method cholesky",
                                    what, *config.modes, basis, largest_projected_order));
}

}  // namespace

void check_sizes(const SolveConfig& config, const std::string& method, std::int64_t samples, std::int64_t features,
                 GridShape grid, const std::string& purpose) {
  const std::int64_t views = config.views.count.value_or(2);
  const std::string what = fmt::format("--data.pairs {} ({}n = {} samples): {}--solver.method {}", *config.data.pairs,
                                       views, samples, purpose, method);
  const bool only_dense = !config.modes || config.save.kernel || config.save.eigenvectors;
  const std::string otherwise = !purpose.empty() ? ", or no --solver.check"
                                : only_dense     ? ""
                                                 : ", or --solver.method krylov";
  if (method == "krylov") {
    check_krylov(config, what, samples);
  } else if (method == "primal") {
    check_dense(config, what, features, 1, grid, otherwise);
  } else {
    check_dense(config, what, samples, views, grid, otherwise);
  }
}

}  // namespace stepwise
