#include "stepwise/solve/limits.hpp"

#include <algorithm>
#include <limits>

#include "stepwise/dist/block_cyclic.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t largest_int = std::numeric_limits<int>::max();

}  // namespace

std::int64_t pdsyevd_workspace(std::int64_t n, std::int64_t block, GridShape grid) {
  const std::int64_t np = BlockCyclic{n, block, grid.rows}.local_count(0);
  const std::int64_t nq = BlockCyclic{n, block, grid.cols}.local_count(0);
  // The query forgets pdormtr's minimum and wraps in 32 bits, so the documented formulas are added up.
  const std::int64_t tridiagonal = std::max(1 + 6 * n + 2 * np * nq, 3 * n + std::max(block * (np + 1), 3 * block));
  const std::int64_t back = 5 * n + std::max(block * (block - 1) / 2, (np + nq) * block) + block * block;
  return (tridiagonal + 2 * n + back) * 11 / 10;
}

bool dense_solve_fits(std::int64_t n, std::int64_t block, GridShape grid) {
  constexpr std::int64_t integers_per_row = 7;  // pdsyevd's second workspace
  if (n > (largest_int - 8 * std::int64_t{grid.cols} - 2) / integers_per_row) return false;
  return pdsyevd_workspace(n, block, grid) <= largest_int;
}

std::int64_t smallest_rank_count(std::int64_t n, std::int64_t block) {
  constexpr std::int64_t most_ranks = std::int64_t{1} << 30;
  const auto order = static_cast<double>(n);
  // Fewer cannot hold 2 n^2 / ranks numbers of workspace.
  const double least = std::max(1.0, 2 * order * order / static_cast<double>(largest_int));
  if (least > static_cast<double>(most_ranks) || n > largest_int / 8) return 0;
  for (auto ranks = static_cast<std::int64_t>(least); ranks <= most_ranks; ++ranks) {
    if (dense_solve_fits(n, block, nearly_square(static_cast<int>(ranks)))) return ranks;
  }
  return 0;
}

}  // namespace stepwise
