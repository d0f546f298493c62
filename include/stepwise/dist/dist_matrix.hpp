#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "stepwise/core/matrix_view.hpp"
#include "stepwise/dist/block_cyclic.hpp"
#include "stepwise/dist/process_grid.hpp"

namespace stepwise {

/// A dense double-precision matrix, block-cyclic with square blocks over a process grid, column-major on each rank.
/// Memory per rank: 8 * local_rows * local_cols bytes, about 8 rows cols / P. Move-only: copies are explicit.
class DistMatrix {
 public:
  /// All zeros. Collective over the grid: allocation is agreed on. @throws CollectiveError(memory) when a rank cannot
  /// allocate, or its part has 2^31 or more rows, columns, or a leading dimension ScaLAPACK cannot express.
  DistMatrix(std::shared_ptr<const ProcessGrid> grid, std::int64_t rows, std::int64_t cols, std::int64_t block);

  DistMatrix(DistMatrix&&) noexcept = default;
  DistMatrix& operator=(DistMatrix&&) noexcept = default;
  DistMatrix(const DistMatrix&) = delete;
  DistMatrix& operator=(const DistMatrix&) = delete;
  ~DistMatrix() = default;

  /// A deep copy. Collective. @throws as the constructor.
  [[nodiscard]] DistMatrix clone() const;

  [[nodiscard]] std::int64_t rows() const noexcept { return row_map_.n; }
  [[nodiscard]] std::int64_t cols() const noexcept { return col_map_.n; }
  [[nodiscard]] std::int64_t block() const noexcept { return row_map_.block; }
  [[nodiscard]] const ProcessGrid& grid() const noexcept { return *grid_; }
  [[nodiscard]] const std::shared_ptr<const ProcessGrid>& shared_grid() const noexcept { return grid_; }
  [[nodiscard]] const Communicator& comm() const noexcept { return grid_->comm(); }
  [[nodiscard]] const BlockCyclic& row_map() const noexcept { return row_map_; }
  [[nodiscard]] const BlockCyclic& col_map() const noexcept { return col_map_; }

  /// This rank's part.
  [[nodiscard]] MatrixView<double> local() noexcept { return {data_.data(), local_rows_, local_cols_, stride_}; }
  [[nodiscard]] MatrixView<const double> local() const noexcept {
    return {data_.data(), local_rows_, local_cols_, stride_};
  }
  [[nodiscard]] std::int64_t global_row(std::int64_t local_row) const noexcept {
    return value(row_map_.to_global(Local{local_row}, grid_->row()));
  }
  [[nodiscard]] std::int64_t global_col(std::int64_t local_col) const noexcept {
    return value(col_map_.to_global(Local{local_col}, grid_->col()));
  }
  /// ScaLAPACK array descriptor (Users' Guide, section 4.3.3).
  [[nodiscard]] const std::array<int, 9>& descriptor() const noexcept { return descriptor_; }

 private:
  std::shared_ptr<const ProcessGrid> grid_;
  BlockCyclic row_map_;
  BlockCyclic col_map_;
  std::int64_t local_rows_ = 0;
  std::int64_t local_cols_ = 0;
  std::int64_t stride_ = 1;
  std::vector<double> data_;
  std::array<int, 9> descriptor_{};
};

/// A copy of the first k columns. Collective. @throws as the constructor.
[[nodiscard]] DistMatrix leading_columns(const DistMatrix& full, std::int64_t k);

// Reductions over all entries. Each is collective and returns the same value on every rank.

/// Largest |a_ij|; 0 for an empty matrix; Inf when an entry is NaN or Inf.
[[nodiscard]] double max_abs(const DistMatrix& a);
/// sqrt(sum a_ij^2).
[[nodiscard]] double frobenius_norm(const DistMatrix& a);
/// max_j sum_i |a_ij|: bounds the largest eigenvalue of a symmetric matrix.
[[nodiscard]] double one_norm(const DistMatrix& a);
/// Diagonal entries, on every rank. Memory: 8 rows() bytes.
[[nodiscard]] std::vector<double> diagonal(const DistMatrix& a);
/// sum_i a_ij b_ij for every column j, on every rank; both on the same layout.
[[nodiscard]] std::vector<double> column_dots(const DistMatrix& a, const DistMatrix& b);

/// a_ij *= factors[j]. Local.
void scale_columns(DistMatrix& a, const std::vector<double>& factors);
/// a_ij *= factor. Local.
void scale(DistMatrix& a, double factor);

}  // namespace stepwise
