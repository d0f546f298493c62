#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/dist/dist_matrix.hpp"
#include "stepwise/h5/handle.hpp"
#include "stepwise/io/hyperslab.hpp"

namespace stepwise {

// What moves between memory and a two-dimensional dataset in one collective call. All local.

/// Most numbers that a rank moves in one call: MPI-IO implementations differ in what they make of 2^31 bytes.
inline constexpr std::int64_t numbers_per_transfer = std::int64_t{1} << 27;

/// One rank's part: every row stripe crossed with every column stripe of the dataset. In memory rows follow each other
/// at a distance of `stride` numbers.
struct Slab {
  std::vector<Stripe> rows;
  std::vector<Stripe> cols;
  std::int64_t stride = 0;
};

/// The part that is `rows` times `width` numbers, all columns.
[[nodiscard]] Slab whole_rows(Range rows, std::int64_t width, std::int64_t stride);

/// What H5Dread and H5Dwrite want for it. @throws Error(io).
struct Transfer {
  Transfer(hid_t dataset, const Slab& slab);
  /// Of a three-dimensional dataset: some rows of layer `layer`, all `width` columns, contiguous in memory.
  Transfer(hid_t dataset, std::int64_t layer, Range rows, std::int64_t width);
  h5::Handle file;
  h5::Handle memory;
  h5::Handle properties;

 private:
  void prepare_collective();
};

/// This rank's part of some rows of a block-cyclic matrix, row-major and in the order of the dataset.
class MatrixPanel {
 public:
  /// `rows` as stripes() wants them. Memory: as many numbers as this rank has in them.
  MatrixPanel(const DistMatrix& matrix, Range rows, StackedViews views);

  [[nodiscard]] const Slab& slab() const noexcept { return slab_; }
  [[nodiscard]] double* data() noexcept { return values_.data(); }
  void copy_from(MatrixView<const double> local);
  void copy_to(MatrixView<double> local) const;

 private:
  template <class Visit>
  void for_each(Visit visit) const;

  Slab slab_;
  std::vector<std::int64_t> rows_;  // local rows and columns in the dataset's order
  std::vector<std::int64_t> cols_;
  std::vector<double> values_;
};

/// How high panels of this matrix are: the same on all ranks.
[[nodiscard]] std::int64_t panel_height(const DistMatrix& matrix);

}  // namespace stepwise
