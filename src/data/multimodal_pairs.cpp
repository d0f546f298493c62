#include "data/multimodal_pairs.hpp"

#include <algorithm>

#include "data/stored_arrays.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

constexpr std::array<const char*, 2> view_names{"view_a", "view_b"};
constexpr std::array<const char*, 2> test_names{"test_a", "test_b"};

/// Reads rows of one modality into their columns, behind its number, and standardises them.
void place(const MultimodalPairs& source, const NumberDataset& dataset, std::size_t which,
           std::span<const Placement> placements, MatrixView<double> out) {
  const ImageShape& shape = source.shapes[which];
  read_placed(dataset, placements, out.block(1, 0, shape.size(), out.cols));
  const std::size_t first = which == 0 ? 0 : static_cast<std::size_t>(source.shapes[0].channels);
  const Standardisation& standardisation = source.standardisation;
  const std::int64_t pixels = shape.height * shape.width;
  for (const Placement& placement : placements) {
    double* sample = out.column(placement.column);
    sample[0] = static_cast<double>(which);
    std::fill(sample + 1 + shape.size(), sample + out.rows, 0.0);
    for (std::int64_t i = 0; i < shape.size() && !standardisation.mean.empty(); ++i) {
      const std::size_t channel = first + static_cast<std::size_t>(i / pixels);
      sample[1 + i] = (sample[1 + i] - standardisation.mean[channel]) / standardisation.deviation[channel];
    }
  }
}

/// How many test samples of one modality there are.
std::int64_t count_tests(const h5::Handle& file, const std::string& path, const NumberDataset& view,
                         std::size_t which) {
  if (!has_dataset(file, path, test_names[which])) return 0;
  const NumberDataset test = open_numbers(file, path, test_names[which]);
  if (!std::ranges::equal(sample_dims(test), sample_dims(view))) {
    fail(ExitCode::input, "{}: {} has shape {} and {} {}: all but the first dimension must agree", path, test.name,
         format_shape(test.dims), view.name, format_shape(view.dims));
  }
  return test.rows();
}

}  // namespace

MultimodalPairs open_multimodal_pairs(const std::string& path, std::int64_t pairs, std::int64_t tests) {
  const h5::Handle file = open_pair_file(path, pairs);
  const NumberDataset a = open_numbers(file, path, view_names[0]);
  const NumberDataset b = open_numbers(file, path, view_names[1]);
  if (a.rows() != b.rows()) {
    fail(ExitCode::input, "{}: view_a has shape {} and view_b {}: row i of both is pair i, so they need as many rows",
         path, format_shape(a.dims), format_shape(b.dims));
  }
  require_samples(a);
  require_samples(b);
  if (has_dataset(file, path, "view_c")) {
    fail(ExitCode::input, "{}: has view_c, but --data.multimodal is for one view of each of two modalities", path);
  }
  if (tests != 0 && has_dataset(file, path, "test")) {
    fail(ExitCode::input, "{}: has test, but with --data.multimodal test samples are in test_a and test_b", path);
  }
  check_labels(file, path, "labels", "view_a", a.rows());
  MultimodalPairs result{.path = path,
                         .shapes = {shape_of(a), shape_of(b)},
                         .pairs = choose_count(path, "--data.pairs", pairs, a.rows()),
                         .tests = {},
                         .standardisation = {}};
  if (tests == 0) return result;
  result.tests = {count_tests(file, path, a, 0), count_tests(file, path, b, 1)};
  const std::int64_t most = choose_count(path, "--data.test", tests, std::ranges::max(result.tests));
  for (std::int64_t& count : result.tests) count = std::min(count, most);
  return result;
}

void read_modalities(const MultimodalPairs& source, std::span<const std::int64_t> samples, MatrixView<double> out) {
  const h5::Handle file = h5::open_for_reading(source.path);
  for (std::size_t which = 0; which < 2; ++which) {
    std::vector<Placement> placements;
    for (std::int64_t column = 0; column < std::ssize(samples); ++column) {
      const std::int64_t sample = samples[static_cast<std::size_t>(column)];
      if (sample % 2 == static_cast<std::int64_t>(which)) placements.push_back({sample / 2, column});
    }
    if (placements.empty()) continue;
    place(source, open_numbers(file, source.path, view_names[which]), which, placements, out);
  }
}

void read_modality_tests(const MultimodalPairs& source, Range range, MatrixView<double> out) {
  const h5::Handle file = h5::open_for_reading(source.path);
  for (std::size_t which = 0; which < 2; ++which) {
    const std::int64_t first = which == 0 ? 0 : source.tests[0];
    std::vector<Placement> placements;
    for (std::int64_t i = std::max(range.begin, first); i < std::min(range.end, first + source.tests[which]); ++i) {
      placements.push_back({i - first, i - range.begin});
    }
    if (placements.empty()) continue;
    place(source, open_numbers(file, source.path, test_names[which]), which, placements, out);
  }
}

std::vector<double> read_modality(const MultimodalPairs& source, std::size_t which, Range range) {
  std::vector<double> values(static_cast<std::size_t>(range.size() * source.shapes[which].size()));
  const h5::Handle file = h5::open_for_reading(source.path);
  read_rows(open_numbers(file, source.path, view_names[which]), range, values);
  return values;
}

std::vector<std::int64_t> modality_labels(const MultimodalPairs& source) {
  return stored_labels(source.path, "labels", source.pairs);
}

}  // namespace stepwise
