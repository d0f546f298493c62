#include <algorithm>

#include "io/checksum.hpp"
#include "io/transfer.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/io/result_file.hpp"

namespace stepwise {
namespace {

void write_band(hid_t dataset, hid_t type, Range rows, std::int64_t cols, const void* values) {
  const Transfer transfer(dataset, whole_rows(rows, cols, cols));
  h5::check(H5Dwrite(dataset, type, transfer.memory, transfer.file, transfer.properties, values), "writing rows");
}

}  // namespace

void ResultFile::write_bands(const DatasetInfo& info, const MatrixBands& matrix) {
  const std::int64_t band = std::max<std::int64_t>(matrix.band, 1);
  const hid_t type = matrix.single ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
  create(info, {static_cast<hsize_t>(matrix.rows), static_cast<hsize_t>(matrix.cols)}, type,
         {static_cast<hsize_t>(band), static_cast<hsize_t>(band)});
  if (matrix.rows == 0 || matrix.cols == 0) return seal(info, 0);
  const h5::Handle dataset = open_created(info);
  std::uint64_t hash = 0;
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
      write_band(dataset, type, rows, matrix.cols,
                 matrix.single ? static_cast<const void*>(rounded.data()) : values.data());
    });
    const std::int64_t place = rows.begin * matrix.cols;
    hash += matrix.single ? hash_run(place, std::span<const float>(rounded))
                          : hash_run(place, std::span<const double>(values));
  }
  seal(info, hash);
}

void ResultFile::write_turns(const DatasetInfo& info, std::int64_t rows, std::int64_t cols,
                             const std::vector<Range>& turns, const std::function<BlockVector(Range)>& make) {
  create(info, {static_cast<hsize_t>(rows), static_cast<hsize_t>(cols)}, H5T_NATIVE_DOUBLE);
  if (rows == 0 || cols == 0) return seal(info, 0);
  const h5::Handle dataset = open_created(info);
  std::int64_t done = 0;
  std::uint64_t hash = 0;
  for (const Range& turn : turns) {
    const BlockVector part = make(turn);
    attempt(comm_, [&] {
      if (turn.begin != done || turn.end > rows || part.samples != turn.size() || part.width != cols) {
        fail(ExitCode::internal, "{}: {} x {} for rows {} to {} of {} x {}, {} done", info.path, part.samples,
             part.width, turn.begin, turn.end, rows, cols, done);
      }
      const Range own{turn.begin + part.range.begin, turn.begin + part.range.end};
      write_band(dataset, H5T_NATIVE_DOUBLE, own, cols, part.data.data());
    });
    hash += hash_run((turn.begin + part.range.begin) * cols, std::span<const double>(part.data));
    done = turn.end;
  }
  attempt(comm_, [&] {
    if (done != rows) fail(ExitCode::internal, "{}: {} rows of {} written", info.path, done, rows);
  });
  seal(info, hash);
}

}  // namespace stepwise
