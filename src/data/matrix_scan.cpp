#include "stepwise/data/matrix_scan.hpp"

#include <algorithm>
#include <cmath>

#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t block_size = 512;

std::vector<Range> blocks_of(const std::vector<Range>& ranges) {
  std::vector<Range> blocks;
  for (const Range& range : ranges) {
    for (std::int64_t begin = range.begin; begin < range.end; begin += block_size) {
      blocks.push_back({begin, std::min(begin + block_size, range.end)});
    }
  }
  return blocks;
}

/// Memory for one block, filled again and again.
class Block {
 public:
  MatrixView<double> read(const StoredMatrix& matrix, Range rows, Range cols) {
    data_.resize(static_cast<std::size_t>(rows.size() * cols.size()));
    const MatrixView<double> view{data_.data(), rows.size(), cols.size(), rows.size()};
    matrix.read(rows, cols, view);
    for (std::int64_t i = 0; i < view.rows; ++i) {
      for (std::int64_t j = 0; j < view.cols; ++j) {
        if (std::isfinite(view(i, j))) continue;
        fail(ExitCode::input, "{}: holds {} in row {}, column {} (counted from 0): remove or repair that sample",
             matrix.name, view(i, j), rows.begin + i, cols.begin + j);
      }
    }
    return view;
  }

 private:
  std::vector<double> data_;
};

void compare(MatrixView<double> above, MatrixView<double> below, Range rows, Range cols, MatrixScan& scan) {
  for (std::int64_t j = 0; j < above.cols; ++j) {
    for (std::int64_t i = 0; i < above.rows && rows.begin + i <= cols.begin + j; ++i) {
      const double x = above(i, j);
      const double y = below(j, i);
      scan.largest = std::max({scan.largest, std::abs(x), std::abs(y)});
      if (rows.begin + i == cols.begin + j) scan.trace += x;
      if (std::abs(x - y) > scan.asymmetry) {
        scan.asymmetry = std::abs(x - y);
        scan.row = rows.begin + i;
        scan.col = cols.begin + j;
        scan.above = x;
        scan.below = y;
      }
    }
  }
}

}  // namespace

MatrixScan scan_kernel(const StoredMatrix& matrix, const std::vector<Range>& used, std::int64_t part,
                       std::int64_t parts) {
  const std::vector<Range> blocks = blocks_of(used);
  MatrixScan scan;
  Block one;
  Block other;
  std::int64_t number = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (std::size_t j = i; j < blocks.size(); ++j) {
      if (number++ % parts != part) continue;
      const auto above = one.read(matrix, blocks[i], blocks[j]);
      // Tiles on the diagonal are stored whole, so this is no mere mirror image for tiles either.
      compare(above, other.read(matrix, blocks[j], blocks[i]), blocks[i], blocks[j], scan);
    }
  }
  return scan;
}

void require_finite(const StoredMatrix& matrix, Range rows, const std::vector<Range>& cols, std::int64_t part,
                    std::int64_t parts) {
  Block block;
  std::int64_t number = 0;
  for (const Range& r : blocks_of({rows})) {
    for (const Range& c : blocks_of(cols)) {
      if (number++ % parts == part) (void)block.read(matrix, r, c);
    }
  }
}

}  // namespace stepwise
