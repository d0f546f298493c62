#include "data/array_pairs.hpp"

#include <algorithm>
#include <filesystem>

#include "data/number_dataset.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

/// Longest stretch of samples read at once, in numbers: bounds the memory beside the result.
constexpr std::int64_t numbers_per_read = std::int64_t{1} << 21;

/// One sample in the file and the column it goes to.
struct Placement {
  std::int64_t row = 0;
  std::int64_t column = 0;
};

ImageShape shape_of(const NumberDataset& dataset) {
  if (dataset.dims.size() < 3) return {1, 1, dataset.row_size()};
  const auto channels = static_cast<std::int64_t>(dataset.dims[1]);
  const auto height = dataset.dims.size() == 3 ? 1 : static_cast<std::int64_t>(dataset.dims[2]);
  return {channels, height, dataset.row_size() / (channels * height)};
}

/// view_a, view_b, ...
std::string view_name(std::int64_t view) {
  return std::string("view_") + static_cast<char>('a' + view);
}

/// How many views of those in the file to use. `asked`: -1 for all.
std::int64_t choose_views(const h5::Handle& file, const std::string& path, std::int64_t asked) {
  constexpr std::int64_t letters = 26;
  std::int64_t available = 2;  // their absence is an error of its own
  while (available < letters && has_dataset(file, path, view_name(available))) ++available;
  if (asked > available) {
    fail(ExitCode::input,
         "--views.count asks for {}, but {} has {}, view_a to {}: ask for {} or fewer, or auto for all", asked, path,
         available, view_name(available - 1), available);
  }
  return asked == -1 ? available : asked;
}

std::span<const hsize_t> sample_dims(const NumberDataset& dataset) {
  return std::span<const hsize_t>(dataset.dims).subspan(1);
}

/// How many of `available` to use. `asked`: -1 for all.
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

/// Reads the rows into their columns, each stretch of consecutive rows at once.
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

std::vector<std::int64_t> stored_labels(const ArrayPairs& source, const std::string& name, std::int64_t count) {
  const h5::Handle file = h5::open_for_reading(source.path);
  if (!has_dataset(file, source.path, name)) return {};
  return read_labels(open_numbers(file, source.path, name), count);
}

}  // namespace

ArrayPairs open_array_pairs(const std::string& path, std::int64_t pairs, std::int64_t tests, std::int64_t views) {
  std::error_code ignored;  // opening the file says why it cannot be looked at
  if (std::filesystem::is_directory(path, ignored)) {
    fail(ExitCode::input, "{}: is a directory where an HDF5 file belongs", path);
  }
  if (pairs == 0) fail(ExitCode::input, "--data.pairs is 0: use at least one pair, or auto for all");
  const h5::Handle file = h5::open_for_reading(path);
  const NumberDataset a = open_numbers(file, path, "view_a");
  const std::int64_t count = choose_views(file, path, views);
  for (std::int64_t view = 1; view < count; ++view) {
    const NumberDataset b = open_numbers(file, path, view_name(view));
    if (a.dims != b.dims) {
      fail(
          ExitCode::input,
          "{}: view_a has shape {} and {} {}: row i of both is pair i, so they must agree; two modalities of different "
          "shape need --data.multimodal",
          path, format_shape(a.dims), b.name, format_shape(b.dims));
    }
  }
  if (a.rows() == 0) fail(ExitCode::input, "{}: view_a has shape {}: no samples", path, format_shape(a.dims));
  if (a.row_size() == 0) fail(ExitCode::input, "{}: view_a has shape {}: empty samples", path, format_shape(a.dims));
  check_labels(file, path, "labels", "view_a", a.rows());

  std::int64_t available_tests = 0;
  if (tests != 0 && has_dataset(file, path, "test")) {
    const NumberDataset test = open_numbers(file, path, "test");
    if (!std::ranges::equal(sample_dims(test), sample_dims(a))) {
      fail(ExitCode::input, "{}: test has shape {} and view_a {}: all but the first dimension must agree", path,
           format_shape(test.dims), format_shape(a.dims));
    }
    available_tests = test.rows();
  }
  if (tests != 0) check_labels(file, path, "test_labels", "test", available_tests);
  return {.path = path,
          .shape = shape_of(a),
          .pairs = choose_count(path, "--data.pairs", pairs, a.rows()),
          .tests = choose_count(path, "--data.test", tests, available_tests),
          .standardisation = {},
          .views = count};
}

void read_stored_samples(const ArrayPairs& source, std::span<const std::int64_t> samples, MatrixView<double> out) {
  std::vector<std::vector<Placement>> views(static_cast<std::size_t>(source.views));
  for (std::int64_t column = 0; column < std::ssize(samples); ++column) {
    const std::int64_t sample = samples[static_cast<std::size_t>(column)];
    views[static_cast<std::size_t>(sample % source.views)].push_back({sample / source.views, column});
  }
  const h5::Handle file = h5::open_for_reading(source.path);
  for (std::int64_t view = 0; view < source.views; ++view) {
    const auto& placements = views[static_cast<std::size_t>(view)];
    if (!placements.empty()) read_placed(open_numbers(file, source.path, view_name(view)), placements, out);
  }
}

void read_stored_tests(const ArrayPairs& source, Range range, MatrixView<double> out) {
  std::vector<Placement> placements;
  for (std::int64_t i = range.begin; i < range.end; ++i) placements.push_back({i, i - range.begin});
  const h5::Handle file = h5::open_for_reading(source.path);
  read_placed(open_numbers(file, source.path, "test"), placements, out);
}

std::vector<std::int64_t> stored_train_labels(const ArrayPairs& source) {
  return stored_labels(source, "labels", source.pairs);
}

std::vector<std::int64_t> stored_test_labels(const ArrayPairs& source) {
  return source.tests == 0 ? std::vector<std::int64_t>{} : stored_labels(source, "test_labels", source.tests);
}

}  // namespace stepwise
