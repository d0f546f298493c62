#include "data/stored_arrays.hpp"

#include <algorithm>
#include <filesystem>

#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

/// Longest stretch of samples read at once, in numbers: bounds the memory beside the result.
constexpr std::int64_t numbers_per_read = std::int64_t{1} << 21;

}  // namespace

h5::Handle open_pair_file(const std::string& path, std::int64_t pairs) {
  std::error_code ignored;  // opening the file says why it cannot be looked at
  if (std::filesystem::is_directory(path, ignored)) {
    fail(ExitCode::input, "{}: is a directory where an HDF5 file belongs", path);
  }
  if (pairs == 0) fail(ExitCode::input, "--data.pairs is 0: use at least one pair, or auto for all");
  return h5::open_for_reading(path);
}

void require_samples(const NumberDataset& a) {
  if (a.rows() == 0) fail(ExitCode::input, "{}: {} has shape {}: no samples", a.file, a.name, format_shape(a.dims));
  if (a.row_size() == 0) {
    fail(ExitCode::input, "{}: {} has shape {}: empty samples", a.file, a.name, format_shape(a.dims));
  }
}

ImageShape shape_of(const NumberDataset& dataset) {
  if (dataset.dims.size() < 3) return {1, 1, dataset.row_size()};
  const auto channels = static_cast<std::int64_t>(dataset.dims[1]);
  const auto height = dataset.dims.size() == 3 ? 1 : static_cast<std::int64_t>(dataset.dims[2]);
  return {channels, height, dataset.row_size() / (channels * height)};
}

std::span<const hsize_t> sample_dims(const NumberDataset& dataset) {
  return std::span<const hsize_t>(dataset.dims).subspan(1);
}

std::int64_t choose_count(const std::string& path, const char* option, std::int64_t asked, std::int64_t available) {
  if (asked < -1) fail(ExitCode::input, "{} is {}: use a count, or auto for all", option, asked);
  if (asked > available) {
    fail(ExitCode::input, "{} asks for {}, but {} has {}: ask for {} or fewer, or auto for all", option, asked, path,
         available, available);
  }
  return asked == -1 ? available : asked;
}

void check_labels(const h5::Handle& file, const std::string& path, const std::string& name, const char* samples,
                  std::int64_t count) {
  if (!has_dataset(file, path, name)) return;
  const NumberDataset labels = open_numbers(file, path, name);
  if (labels.dims.size() != 1 || labels.rows() != count) {
    fail(ExitCode::input, "{}: {} has shape {}, expected ({},): one number for each sample of {}", path, name,
         format_shape(labels.dims), count, samples);
  }
}

void read_placed(const NumberDataset& dataset, std::span<const Placement> placements, MatrixView<double> out) {
  if (dataset.row_size() != out.rows) {
    fail(ExitCode::input, "{}: {} has samples of {} numbers, it had {} when it was opened: do not change it meanwhile",
         dataset.file, dataset.name, dataset.row_size(), out.rows);
  }
  const std::int64_t longest = std::max<std::int64_t>(1, numbers_per_read / out.rows);
  std::vector<double> buffer;
  for (auto first = placements.begin(); first != placements.end();) {
    auto last = first + 1;
    while (last != placements.end() && last->row == (last - 1)->row + 1 && last - first < longest) ++last;
    buffer.resize(static_cast<std::size_t>((last - first) * out.rows));
    read_rows(dataset, {first->row, first->row + (last - first)}, buffer);
    const double* from = buffer.data();
    for (; first != last; ++first, from += out.rows) std::copy_n(from, out.rows, out.column(first->column));
  }
}

std::vector<std::int64_t> stored_labels(const std::string& path, const std::string& name, std::int64_t count) {
  const h5::Handle file = h5::open_for_reading(path);
  if (!has_dataset(file, path, name)) return {};
  return read_labels(open_numbers(file, path, name), count);
}

}  // namespace stepwise
