#include "data/array_pairs.hpp"

#include <algorithm>

#include "data/stored_arrays.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

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

}  // namespace

ArrayPairs open_array_pairs(const std::string& path, std::int64_t pairs, std::int64_t tests, std::int64_t views) {
  const h5::Handle file = open_pair_file(path, pairs);
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
  require_samples(a);
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
          .views = count,
          .test_name = "test"};
}

ArrayPairs open_array_samples(const std::string& path) {
  const h5::Handle file = open_pair_file(path, -1);
  const std::string name = has_dataset(file, path, "samples") ? "samples" : "test";
  if (name == "test" && !has_dataset(file, path, name)) {
    fail(ExitCode::input, "{}: there is neither a dataset samples nor test", path);
  }
  const NumberDataset samples = open_numbers(file, path, name);
  require_samples(samples);
  return {.path = path,
          .shape = shape_of(samples),
          .pairs = 0,
          .tests = samples.rows(),
          .standardisation = {},
          .views = 2,
          .test_name = name};
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
  read_placed(open_numbers(file, source.path, source.test_name), placements, out);
}

std::vector<std::int64_t> stored_train_labels(const ArrayPairs& source) {
  return stored_labels(source.path, "labels", source.pairs);
}

std::vector<std::int64_t> stored_test_labels(const ArrayPairs& source) {
  return source.tests == 0 ? std::vector<std::int64_t>{} : stored_labels(source.path, "test_labels", source.tests);
}

}  // namespace stepwise
