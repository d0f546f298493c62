#include "stepwise/dist/dist_matrix.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "stepwise/core/index.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {

DistMatrix::DistMatrix(std::shared_ptr<const ProcessGrid> grid, std::int64_t rows, std::int64_t cols,
                       std::int64_t block)
    : grid_(std::move(grid)),
      row_map_{rows, block, grid_->shape().rows},
      col_map_{cols, block, grid_->shape().cols},
      local_rows_(row_map_.local_count(grid_->row())),
      local_cols_(col_map_.local_count(grid_->col())),
      stride_(std::max<std::int64_t>(local_rows_, 1)) {
  attempt(comm(), [&] {
    descriptor_ = {1,
                   grid_->context(),
                   narrow(rows, "a matrix dimension"),
                   narrow(cols, "a matrix dimension"),
                   narrow(block, "the block size"),
                   narrow(block, "the block size"),
                   0,
                   0,
                   narrow(stride_, "a local leading dimension")};
    data_.resize(static_cast<std::size_t>(stride_ * local_cols_));
  });
}

DistMatrix DistMatrix::clone() const {
  DistMatrix copy(grid_, rows(), cols(), block());
  copy.data_ = data_;
  return copy;
}

DistMatrix leading_columns(const DistMatrix& full, std::int64_t k) {
  DistMatrix part(full.shared_grid(), full.rows(), k, full.block());
  const auto target = part.local();
  const auto source = full.local();
  // In a block-cyclic layout these are the first local columns everywhere.
  for (std::int64_t j = 0; j < target.cols; ++j) {
    std::copy(source.column(j), source.column(j) + target.rows, target.column(j));
  }
  return part;
}

double max_abs(const DistMatrix& a) {
  const auto local = a.local();
  double largest = 0;
  for (std::int64_t j = 0; j < local.cols; ++j) {
    for (std::int64_t i = 0; i < local.rows; ++i) {
      const double x = std::abs(local(i, j));
      // Written so that NaN, which compares false, also counts as too large.
      if (!(x <= largest)) largest = std::isfinite(x) ? x : std::numeric_limits<double>::infinity();
    }
  }
  return max(a.comm(), largest);
}

double frobenius_norm(const DistMatrix& a) {
  const auto local = a.local();
  double squares = 0;
  for (std::int64_t j = 0; j < local.cols; ++j) {
    for (std::int64_t i = 0; i < local.rows; ++i) squares += local(i, j) * local(i, j);
  }
  return std::sqrt(sum(a.comm(), squares));
}

double one_norm(const DistMatrix& a) {
  std::vector<double> sums(static_cast<std::size_t>(a.cols()));
  const auto local = a.local();
  for (std::int64_t j = 0; j < local.cols; ++j) {
    double column = 0;
    for (std::int64_t i = 0; i < local.rows; ++i) column += std::abs(local(i, j));
    sums[static_cast<std::size_t>(a.global_col(j))] = column;
  }
  sum(a.comm(), sums);
  return sums.empty() ? 0 : *std::max_element(sums.begin(), sums.end());
}

std::vector<double> diagonal(const DistMatrix& a) {
  std::vector<double> entries(static_cast<std::size_t>(std::min(a.rows(), a.cols())));
  const auto local = a.local();
  const auto& rows = a.row_map();
  for (std::int64_t j = 0; j < local.cols; ++j) {
    const std::int64_t g = a.global_col(j);
    if (g < a.rows() && rows.owner(Global{g}) == a.grid().row()) {
      entries[static_cast<std::size_t>(g)] = local(value(rows.to_local(Global{g})), j);
    }
  }
  sum(a.comm(), entries);
  return entries;
}

std::vector<double> column_dots(const DistMatrix& a, const DistMatrix& b) {
  std::vector<double> dots(static_cast<std::size_t>(a.cols()));
  const auto x = a.local();
  const auto y = b.local();
  for (std::int64_t j = 0; j < x.cols; ++j) {
    double dot = 0;
    for (std::int64_t i = 0; i < x.rows; ++i) dot += x(i, j) * y(i, j);
    dots[static_cast<std::size_t>(a.global_col(j))] = dot;
  }
  sum(a.comm(), dots);
  return dots;
}

void scale_columns(DistMatrix& a, const std::vector<double>& factors) {
  const auto local = a.local();
  for (std::int64_t j = 0; j < local.cols; ++j) {
    const double factor = factors[static_cast<std::size_t>(a.global_col(j))];
    for (std::int64_t i = 0; i < local.rows; ++i) local(i, j) *= factor;
  }
}

void scale(DistMatrix& a, double factor) {
  const auto local = a.local();
  for (std::int64_t j = 0; j < local.cols; ++j) {
    for (std::int64_t i = 0; i < local.rows; ++i) local(i, j) *= factor;
  }
}

}  // namespace stepwise
