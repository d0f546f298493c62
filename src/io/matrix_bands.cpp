#include <algorithm>
#include <array>
#include <type_traits>

#include "stepwise/dist/agree.hpp"
#include "stepwise/io/result_file.hpp"

namespace stepwise {
namespace {

template <class T>
void write_band(hid_t dataset, hid_t type, Range rows, std::int64_t cols, const std::vector<T>& values) {
  const std::array start{static_cast<hsize_t>(rows.begin), hsize_t{0}};
  const std::array count{static_cast<hsize_t>(rows.size()), static_cast<hsize_t>(cols)};
  const h5::Handle file_space(H5Dget_space(dataset), H5Sclose, "asking for a shape");
  // No extent of memory may be zero, so a rank without rows selects nothing of one row.
  const std::array<hsize_t, 2> shape{std::max<hsize_t>(count[0], 1), count[1]};
  const h5::Handle memory(H5Screate_simple(2, shape.data(), nullptr), H5Sclose, "shaping memory");
  if (rows.size() > 0) {
    h5::check(H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr),
              "selecting rows");
  } else {
    h5::check(H5Sselect_none(file_space), "selecting nothing");
    h5::check(H5Sselect_none(memory), "selecting nothing");
  }
  const h5::Handle transfer(H5Pcreate(H5P_DATASET_XFER), H5Pclose, "preparing a transfer");
  h5::check(H5Pset_dxpl_mpio(transfer, H5FD_MPIO_COLLECTIVE), "choosing collective transfer");
  h5::check(H5Dwrite(dataset, type, memory, file_space, transfer, values.data()), "writing rows");
}

}  // namespace

void ResultFile::write_bands(const DatasetInfo& info, const MatrixBands& matrix) {
  const std::int64_t band = std::max<std::int64_t>(matrix.band, 1);
  const hid_t type = matrix.single ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
  create(info, {static_cast<hsize_t>(matrix.rows), static_cast<hsize_t>(matrix.cols)}, type);
  if (matrix.rows == 0 || matrix.cols == 0) return;
  const h5::Handle dataset = attempt(comm_, [&] {
    return h5::Handle(H5Dopen2(file_, info.path.c_str(), H5P_DEFAULT), H5Dclose, "opening a dataset");
  });
  for (std::int64_t first = 0; first < matrix.rows; first += band * comm_.size()) {
    const std::int64_t begin = std::min(first + comm_.rank() * band, matrix.rows);
    const Range rows{begin, std::min(begin + band, matrix.rows)};
    std::vector<double> values;
    std::vector<float> rounded;
    attempt(comm_, [&] {
      values.resize(static_cast<std::size_t>(rows.size() * matrix.cols));
      if (rows.size() > 0) matrix.read(rows, values);
      if (matrix.single) {
        std::transform(values.begin(), values.end(), std::back_inserter(rounded),
                       [](double x) { return static_cast<float>(x); });
      }
    });
    attempt(comm_, [&] {
      matrix.single ? write_band(dataset, type, rows, matrix.cols, rounded)
                    : write_band(dataset, type, rows, matrix.cols, values);
    });
  }
}

}  // namespace stepwise
