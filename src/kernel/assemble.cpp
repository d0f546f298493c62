#include "stepwise/kernel/assemble.hpp"

#include <algorithm>
#include <atomic>
#include <vector>

#include "kernel/threads.hpp"
#include "stepwise/core/stop.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/pblas.hpp"
#include "stepwise/kernel/tile_shape.hpp"

namespace stepwise {
namespace {

/// A tile of doubles shall fit the second-level cache.
constexpr std::int64_t most_cols = 256;

struct Tile {
  Range rows;
  Range cols;
};

/// Local tiles that hold something on or below the diagonal.
std::vector<Tile> lower_tiles(const DistMatrix& a, const TileShape& shape) {
  const std::int64_t tile_cols = std::min(shape.cols, most_cols);
  std::vector<Tile> tiles;
  const auto local = a.local();
  for (std::int64_t col = 0; col < local.cols; col += tile_cols) {
    const Range cols{col, std::min(col + tile_cols, local.cols)};
    for (std::int64_t row = a.row_map().first_at_least(a.global_col(col), a.grid().row()); row < local.rows;
         row += shape.rows) {
      tiles.push_back({{row, std::min(row + shape.rows, local.rows)}, cols});
    }
  }
  return tiles;
}

}  // namespace

DistMatrix assemble(const Kernel& kernel, const Samples& row_samples, const Samples& col_samples,
                    const std::shared_ptr<const ProcessGrid>& grid, std::int64_t n, std::int64_t block,
                    const Progress& progress) {
  DistMatrix k(grid, n, n, block);
  const std::vector<Tile> tiles = lower_tiles(k, tile_shape(kernel));
  const auto local = k.local();
  std::atomic<std::int64_t> done = 0;
#pragma omp parallel for schedule(dynamic)
  for (std::size_t t = 0; t < tiles.size(); ++t) {
    if (stop_requested()) continue;
    const auto [rows, cols] = tiles[t];
    evaluate(kernel, row_samples, rows, col_samples, cols,
             local.block(rows.begin, cols.begin, rows.size(), cols.size()));
    ++done;
    if (thread_number() == 0 && progress) progress(static_cast<double>(done) / static_cast<double>(tiles.size()));
  }
  stop_together(grid->comm());
  mirror_lower(k);
  return k;
}

}  // namespace stepwise
