#include <algorithm>

#include "io/checks.hpp"
#include "io/checksum.hpp"
#include "io/transfer.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/io/result_file.hpp"

namespace stepwise {
namespace {

/// Blocks have all their numbers on one rank, and so have chunks of that shape.
hsize_t chunk_side(const BlockCyclic& map, std::int64_t views) {
  constexpr std::int64_t alone = 256;  // where one process has them all
  return static_cast<hsize_t>(map.procs == 1 ? alone : map.block / views);
}

}  // namespace

h5::Handle ResultFile::open_created(const DatasetInfo& info) const {
  return attempt(comm_, [&] {
    return h5::Handle(H5Dopen2(file_, info.path.c_str(), H5P_DEFAULT), H5Dclose, "opening " + info.path);
  });
}

void ResultFile::write_matrix(const DatasetInfo& info, const DistMatrix& matrix, StackedViews views) {
  expect_same(comm_, fmt::format("{}: {} x {} in blocks of {} on {} x {}, views {} x {}", info.path, matrix.rows(),
                                 matrix.cols(), matrix.block(), matrix.grid().shape().rows, matrix.grid().shape().cols,
                                 views.rows, views.cols));
  attempt(comm_, [&] { check_stacked(info.path, matrix, views); });
  create(info, {static_cast<hsize_t>(matrix.rows()), static_cast<hsize_t>(matrix.cols())}, H5T_NATIVE_DOUBLE,
         {chunk_side(matrix.row_map(), views.rows), chunk_side(matrix.col_map(), views.cols)});
  if (matrix.rows() == 0 || matrix.cols() == 0) return seal(info, 0);
  const h5::Handle dataset = open_created(info);
  const std::int64_t height = panel_height(matrix);
  std::uint64_t hash = 0;
  for (std::int64_t begin = 0; begin < matrix.rows(); begin += height) {
    const Range rows{begin, std::min(begin + height, matrix.rows())};
    auto [panel, transfer] = attempt(comm_, [&] {
      MatrixPanel part(matrix, rows, views);
      part.copy_from(matrix.local());
      Transfer how(dataset, part.slab());
      return std::pair(std::move(part), std::move(how));
    });
    attempt(comm_, [&, &panel = panel, &transfer = transfer] {
      h5::check(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, transfer.memory, transfer.file, transfer.properties, panel.data()),
                "writing " + info.path);
    });
    hash += hash_slab(panel.slab(), matrix.cols(), panel.data());
  }
  seal(info, hash);
}

void ResultFile::write_rows(const DatasetInfo& info, std::int64_t samples, Range own, MatrixView<const double> values) {
  check_share(comm_, info.path, samples, values.rows, own, 1,
              values.cols == own.size() && values.stride >= values.rows);
  const std::int64_t width = values.rows;
  create(info, {static_cast<hsize_t>(samples), static_cast<hsize_t>(width)}, H5T_NATIVE_DOUBLE,
         {rows_in_chunk(samples, width), static_cast<hsize_t>(width)});
  if (samples == 0 || width == 0) return seal(info, 0);
  const h5::Handle dataset = open_created(info);
  for (const Range& rows : pieces(comm_, own, width)) {
    const Transfer transfer = attempt(comm_, [&] { return Transfer(dataset, whole_rows(rows, width, values.stride)); });
    attempt(comm_, [&] {
      h5::check(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, transfer.memory, transfer.file, transfer.properties,
                         values.column(rows.begin - own.begin)),
                "writing " + info.path);
    });
  }
  seal(info, hash_slab(whole_rows(own, width, values.stride), width, values.data));
}

}  // namespace stepwise
