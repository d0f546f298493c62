#include "io/transfer.hpp"

#include <algorithm>
#include <array>

namespace stepwise {
namespace {

/// Most numbers in a panel: enough for MPI-IO to be at its full speed, small beside any matrix worth distributing.
constexpr std::int64_t panel_numbers = std::int64_t{1} << 23;

std::int64_t total(const std::vector<Stripe>& parts) {
  std::int64_t size = 0;
  for (const Stripe& part : parts) size += part.size();
  return size;
}

void select(hid_t space, H5S_seloper_t how, const Stripe& rows, const Stripe& cols) {
  const auto both = [&](auto member) {
    return std::array{static_cast<hsize_t>(rows.*member), static_cast<hsize_t>(cols.*member)};
  };
  h5::check(H5Sselect_hyperslab(space, how, both(&Stripe::start).data(), both(&Stripe::stride).data(),
                                both(&Stripe::count).data(), both(&Stripe::block).data()),
            "selecting part of a dataset");
}

/// Local indices first .. first + count in the dataset's order: view by view.
std::vector<std::int64_t> stacked_order(std::int64_t first, std::int64_t count, std::int64_t views) {
  std::vector<std::int64_t> order;
  order.reserve(static_cast<std::size_t>(count));
  for (std::int64_t view = 0; view < views; ++view) {
    for (std::int64_t l = first + view; l < first + count; l += views) order.push_back(l);
  }
  return order;
}

}  // namespace

Slab whole_rows(Range rows, std::int64_t width, std::int64_t stride) {
  if (rows.size() == 0 || width == 0) return {{}, {}, stride};
  return {{{rows.begin, rows.size(), 1, rows.size()}}, {{0, width, 1, width}}, stride};
}

Transfer::Transfer(hid_t dataset, const Slab& slab) {
  const std::int64_t height = total(slab.rows);
  const std::int64_t width = total(slab.cols);
  const bool nothing = height == 0 || width == 0;
  // No extent of memory may be zero, so a rank without numbers selects nothing of one.
  const std::array<hsize_t, 2> shape{nothing ? 1 : static_cast<hsize_t>(height),
                                     nothing ? 1 : static_cast<hsize_t>(slab.stride)};
  file = h5::Handle(H5Dget_space(dataset), H5Sclose, "asking for a shape");
  memory = h5::Handle(H5Screate_simple(2, shape.data(), nullptr), H5Sclose, "shaping memory");
  if (nothing) {
    h5::check(H5Sselect_none(file), "selecting nothing");
    h5::check(H5Sselect_none(memory), "selecting nothing");
  } else {
    H5S_seloper_t how = H5S_SELECT_SET;
    for (const Stripe& rows : slab.rows) {
      for (const Stripe& cols : slab.cols) {
        select(file, how, rows, cols);
        how = H5S_SELECT_OR;
      }
    }
    select(memory, H5S_SELECT_SET, {0, height, 1, height}, {0, width, 1, width});
  }
  prepare_collective();
}

void Transfer::prepare_collective() {
  properties = h5::Handle(H5Pcreate(H5P_DATASET_XFER), H5Pclose, "preparing a transfer");
  h5::check(H5Pset_dxpl_mpio(properties, H5FD_MPIO_COLLECTIVE), "choosing collective transfer");
}

Transfer::Transfer(hid_t dataset, std::int64_t layer, Range rows, std::int64_t width) {
  const bool nothing = rows.size() == 0 || width == 0;
  const std::array<hsize_t, 3> start{static_cast<hsize_t>(layer), static_cast<hsize_t>(rows.begin), 0};
  const std::array<hsize_t, 3> count{1, static_cast<hsize_t>(rows.size()), static_cast<hsize_t>(width)};
  const hsize_t numbers = nothing ? 1 : count[1] * count[2];
  file = h5::Handle(H5Dget_space(dataset), H5Sclose, "asking for a shape");
  memory = h5::Handle(H5Screate_simple(1, &numbers, nullptr), H5Sclose, "shaping memory");
  if (nothing) {
    h5::check(H5Sselect_none(file), "selecting nothing");
    h5::check(H5Sselect_none(memory), "selecting nothing");
  } else {
    h5::check(H5Sselect_hyperslab(file, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr),
              "selecting part of a dataset");
  }
  prepare_collective();
}

MatrixPanel::MatrixPanel(const DistMatrix& matrix, Range rows, StackedViews views) {
  const BlockCyclic& row_map = matrix.row_map();
  const BlockCyclic& col_map = matrix.col_map();
  const int row = matrix.grid().row();
  const int col = matrix.grid().col();
  const std::int64_t first = row_map.first_at_least(rows.begin, row);
  rows_ = stacked_order(first, row_map.first_at_least(rows.end, row) - first, views.rows);
  cols_ = stacked_order(0, col_map.local_count(col), views.cols);
  slab_ = {stacked_stripes(row_map, row, rows, views.rows), stacked_stripes(col_map, col, {0, col_map.n}, views.cols),
           std::ssize(cols_)};
  values_.resize(rows_.size() * cols_.size());
}

template <class Visit>
void MatrixPanel::for_each(Visit visit) const {
  constexpr std::size_t together = 32;  // rows whose lines stay in the cache while columns go by
  for (std::size_t begin = 0; begin < rows_.size(); begin += together) {
    const std::size_t end = std::min(begin + together, rows_.size());
    for (std::size_t j = 0; j < cols_.size(); ++j) {
      for (std::size_t i = begin; i < end; ++i) visit(i * cols_.size() + j, rows_[i], cols_[j]);
    }
  }
}

void MatrixPanel::copy_from(MatrixView<const double> local) {
  for_each([&](std::size_t at, std::int64_t i, std::int64_t j) { values_[at] = local(i, j); });
}

void MatrixPanel::copy_to(MatrixView<double> local) const {
  for_each([&](std::size_t at, std::int64_t i, std::int64_t j) { local(i, j) = values_[at]; });
}

std::int64_t panel_height(const DistMatrix& matrix) {
  return panel_rows(matrix.row_map(), matrix.col_map(), panel_numbers);
}

}  // namespace stepwise
