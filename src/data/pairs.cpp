#include "stepwise/data/pairs.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "data/array_pairs.hpp"
#include "data/multimodal_pairs.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

std::span<double> column(MatrixView<double> m, std::int64_t j) {
  return {m.column(j), static_cast<std::size_t>(m.rows)};
}

ImageShape shape_of(const ImagePairs& source) {
  return view_shape(shape(source.train), source.views);
}
ImageShape shape_of(const ArrayPairs& source) {
  return source.shape;
}

ImageShape shape_of(const MultimodalPairs& source) {
  return {1, 1, 1 + std::max(source.shapes[0].size(), source.shapes[1].size())};
}
ImageShape shape_of(const IndexPairs&) {
  return {1, 1, 1};
}

std::int64_t tests_of(const MultimodalPairs& source) {
  return source.tests[0] + source.tests[1];
}
template <class OneModality>
std::int64_t tests_of(const OneModality& source) {
  return source.tests;
}

void apply(const Standardisation& standardisation, MatrixView<double> samples) {
  const auto channels = std::ssize(standardisation.mean);
  if (channels == 0) return;
  if (samples.rows % channels != 0 || std::ssize(standardisation.deviation) != channels) {
    fail(ExitCode::internal, "samples of {} numbers standardised with {} means", samples.rows, channels);
  }
  const std::int64_t pixels = samples.rows / channels;
  for (std::int64_t j = 0; j < samples.cols; ++j) {
    for (std::int64_t i = 0; i < samples.rows; ++i) {
      const auto channel = static_cast<std::size_t>(i / pixels);
      samples(i, j) = (samples(i, j) - standardisation.mean[channel]) / standardisation.deviation[channel];
    }
  }
}

void read(const ImagePairs& source, std::span<const std::int64_t> samples, MatrixView<double> out) {
  const ImageShape whole = shape(source.train);
  std::vector<std::uint8_t> image(static_cast<std::size_t>(whole.size()));
  std::int64_t held = -1;  // all views of a pair are usually asked for in turn
  for (std::int64_t j = 0; j < out.cols; ++j) {
    const std::int64_t sample = samples[static_cast<std::size_t>(j)];
    const std::int64_t pair = sample / source.view_count;
    if (pair != held) read_image(source.train, pair % image_count(source), image);
    held = pair;
    make_view(image, whole, source.views, source.standardisation, source.seed, pair,
              static_cast<int>(sample % source.view_count), column(out, j));
  }
}

void read(const ArrayPairs& source, std::span<const std::int64_t> samples, MatrixView<double> out) {
  read_stored_samples(source, samples, out);
  apply(source.standardisation, out);
}

void read(const MultimodalPairs& source, std::span<const std::int64_t> samples, MatrixView<double> out) {
  read_modalities(source, samples, out);
}

void read(const ImagePairs& source, Range range, MatrixView<double> out) {
  const ImageShape whole = shape(source.test);
  std::vector<std::uint8_t> image(static_cast<std::size_t>(whole.size()));
  for (std::int64_t j = 0; j < out.cols; ++j) {
    read_image(source.test, range.begin + j, image);
    make_test_view(image, whole, source.views, source.standardisation, column(out, j));
  }
}

void read(const ArrayPairs& source, Range range, MatrixView<double> out) {
  read_stored_tests(source, range, out);
  apply(source.standardisation, out);
}

void read(const MultimodalPairs& source, Range range, MatrixView<double> out) {
  read_modality_tests(source, range, out);
}

void read(const IndexPairs& source, std::span<const std::int64_t> samples, MatrixView<double> out) {
  for (std::int64_t j = 0; j < out.cols; ++j) {
    out(0, j) = static_cast<double>(source.row(samples[static_cast<std::size_t>(j)]));
  }
}

void read(const IndexPairs& source, Range range, MatrixView<double> out) {
  for (std::int64_t j = 0; j < out.cols; ++j) out(0, j) = static_cast<double>(source.train->rows + range.begin + j);
}

std::vector<std::int64_t> first_labels(const ImageSource& source, std::int64_t count) {
  const auto* stored = std::get_if<StoredImages>(&source);
  if (stored == nullptr || stored->labels.empty()) return {};
  if (count > std::ssize(stored->labels)) {
    fail(ExitCode::internal, "{} labels asked for, {} stored", count, stored->labels.size());
  }
  return {stored->labels.begin(), stored->labels.begin() + count};
}

std::vector<std::int64_t> labels_of_train(const ImagePairs& source) {
  const std::vector<std::int64_t> each = first_labels(source.train, image_count(source));
  std::vector<std::int64_t> labels;
  for (std::int64_t pair = 0; pair < source.pairs && !each.empty(); ++pair) {
    labels.push_back(each[static_cast<std::size_t>(pair % std::ssize(each))]);
  }
  return labels;
}
std::vector<std::int64_t> labels_of_train(const ArrayPairs& source) {
  return stored_train_labels(source);
}
std::vector<std::int64_t> labels_of_train(const MultimodalPairs& source) {
  return modality_labels(source);
}
std::vector<std::int64_t> labels_of_test(const MultimodalPairs&) {
  return {};
}
std::vector<std::int64_t> labels_of_train(const IndexPairs&) {
  return {};
}
std::vector<std::int64_t> labels_of_test(const ImagePairs& source) {
  return first_labels(source.test, source.tests);
}
std::vector<std::int64_t> labels_of_test(const ArrayPairs& source) {
  return stored_test_labels(source);
}
std::vector<std::int64_t> labels_of_test(const IndexPairs&) {
  return {};
}

void check_range(const char* what, Range range, std::int64_t count) {
  if (range.begin < 0 || range.end < range.begin || range.end > count) {
    fail(ExitCode::internal, "{} {} to {} asked for, there are {}", what, range.begin, range.end, count);
  }
}

void check_target(const PairSource& source, std::int64_t samples, MatrixView<double> out) {
  const std::int64_t size = sample_shape(source).size();
  if (out.rows != size || out.cols != samples || out.stride < size) {
    fail(ExitCode::internal, "{} samples of {} numbers read into {} x {}", samples, size, out.rows, out.cols);
  }
}

}  // namespace

std::int64_t pair_count(const PairSource& source) {
  return std::visit([](const auto& pairs) { return pairs.pairs; }, source);
}

std::int64_t view_count(const PairSource& source) {
  if (const auto* images = std::get_if<ImagePairs>(&source)) return images->view_count;
  if (const auto* arrays = std::get_if<ArrayPairs>(&source)) return arrays->views;
  if (const auto* rows = std::get_if<IndexPairs>(&source)) return rows->views;
  return 2;
}

std::int64_t test_count(const PairSource& source) {
  return std::visit([](const auto& pairs) { return tests_of(pairs); }, source);
}

std::vector<TestGroup> test_groups(const PairSource& source) {
  std::vector<TestGroup> groups;
  if (const auto* both = std::get_if<MultimodalPairs>(&source)) {
    groups = {{"test_a", {0, both->tests[0]}}, {"test_b", {both->tests[0], both->tests[0] + both->tests[1]}, 1}};
  } else {
    groups = {{"test", {0, test_count(source)}}};
  }
  std::erase_if(groups, [](const TestGroup& group) { return group.range.size() == 0; });
  return groups;
}

ImageShape sample_shape(const PairSource& source) {
  return std::visit([](const auto& pairs) { return shape_of(pairs); }, source);
}

void read_samples(const PairSource& source, std::span<const std::int64_t> samples, MatrixView<double> out) {
  check_target(source, std::ssize(samples), out);
  if (samples.empty()) return;
  const auto [lowest, highest] = std::ranges::minmax(samples);
  check_range("samples", {lowest, highest + 1}, view_count(source) * pair_count(source));
  std::visit([&](const auto& pairs) { read(pairs, samples, out); }, source);
}

void read_tests(const PairSource& source, Range range, MatrixView<double> out) {
  check_target(source, range.size(), out);
  check_range("test samples", range, test_count(source));
  if (range.size() > 0) std::visit([&](const auto& pairs) { read(pairs, range, out); }, source);
}

std::vector<std::int64_t> train_labels(const PairSource& source) {
  return std::visit([](const auto& pairs) { return labels_of_train(pairs); }, source);
}

std::vector<std::int64_t> test_labels(const PairSource& source) {
  return std::visit([](const auto& pairs) { return labels_of_test(pairs); }, source);
}

void set_standardisation(PairSource& source, Standardisation standardisation) {
  std::visit([&](auto& pairs) { pairs.standardisation = std::move(standardisation); }, source);
}

}  // namespace stepwise
