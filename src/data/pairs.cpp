#include "stepwise/data/pairs.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "data/array_pairs.hpp"
#include "data/multimodal_pairs.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

/// Numbers read at once for the moments of a file: bounds the memory.
constexpr std::int64_t moment_batch = std::int64_t{1} << 20;

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

std::vector<std::int64_t> same_for_channels(const ImageShape& shape, std::int64_t parts) {
  return std::vector<std::int64_t>(static_cast<std::size_t>(shape.channels), parts * shape.height * shape.width);
}
std::vector<std::int64_t> pixels_of(const ImagePairs& source) {
  return same_for_channels(shape(source.train), 1);
}
std::vector<std::int64_t> pixels_of(const ArrayPairs& source) {
  return same_for_channels(source.shape, source.views);
}
std::vector<std::int64_t> pixels_of(const MultimodalPairs& source) {
  std::vector<std::int64_t> pixels = same_for_channels(source.shapes[0], 1);
  const std::vector<std::int64_t> others = same_for_channels(source.shapes[1], 1);
  pixels.insert(pixels.end(), others.begin(), others.end());
  return pixels;
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
std::vector<std::int64_t> labels_of_test(const ImagePairs& source) {
  return first_labels(source.test, source.tests);
}
std::vector<std::int64_t> labels_of_test(const ArrayPairs& source) {
  return stored_test_labels(source);
}

/// Appends means, then centred sums of squares, of the channels of `parts` arrays of the given shape, one after the
/// other.
template <class T>
void append_moments(const T* data, const ImageShape& shape, std::int64_t parts, std::vector<double>& moments) {
  const std::int64_t pixels = shape.height * shape.width;
  std::vector<double> squares;
  for (std::int64_t c = 0; c < shape.channels; ++c) {
    const T* channel = data + c * pixels;
    // Differences from the first number: exact for a constant channel, no cancellation for a large mean.
    const auto origin = static_cast<double>(channel[0]);
    const auto sum_over = [&](auto&& term) {
      double sum = 0;
      for (std::int64_t part = 0; part < parts; ++part) {
        const T* values = channel + part * shape.size();
        for (std::int64_t i = 0; i < pixels; ++i) sum += term(static_cast<double>(values[i]) - origin);
      }
      return sum;
    };
    const double shift = sum_over([](double x) { return x; }) / static_cast<double>(parts * pixels);
    moments.push_back(origin + shift);
    squares.push_back(sum_over([shift](double x) { return (x - shift) * (x - shift); }));
  }
  moments.insert(moments.end(), squares.begin(), squares.end());
}

std::vector<double> moments_of(const ImagePairs& source, Range range) {
  const ImageShape whole = shape(source.train);
  std::vector<std::uint8_t> image(static_cast<std::size_t>(whole.size()));
  std::vector<double> moments;
  for (std::int64_t pair = range.begin; pair < range.end; ++pair) {
    read_image(source.train, pair % image_count(source), image);
    append_moments(image.data(), whole, 1, moments);
  }
  return moments;
}

std::vector<double> moments_of(const ArrayPairs& source, Range range) {
  const std::int64_t size = source.shape.size();
  const std::int64_t batch = std::max<std::int64_t>(1, moment_batch / (source.views * size));
  std::vector<double> values;
  std::vector<std::int64_t> samples;
  std::vector<double> moments;
  for (std::int64_t first = range.begin; first < range.end; first += batch) {
    const std::int64_t pairs = std::min(batch, range.end - first);
    values.resize(static_cast<std::size_t>(source.views * pairs * size));
    samples.clear();
    for (std::int64_t sample = source.views * first; sample < source.views * (first + pairs); ++sample)
      samples.push_back(sample);
    read_stored_samples(source, samples, {values.data(), size, source.views * pairs, size});
    for (std::int64_t i = 0; i < pairs; ++i)
      append_moments(values.data() + source.views * i * size, source.shape, source.views, moments);
  }
  return moments;
}

std::vector<double> moments_of(const MultimodalPairs& source, Range range) {
  const auto& [a, b] = source.shapes;
  const std::int64_t batch = std::max<std::int64_t>(1, moment_batch / (a.size() + b.size()));
  std::vector<double> moments;
  for (std::int64_t first = range.begin; first < range.end; first += batch) {
    const Range some{first, std::min(first + batch, range.end)};
    const std::vector<double> of_a = read_modality(source, 0, some);
    const std::vector<double> of_b = read_modality(source, 1, some);
    for (std::int64_t i = 0; i < some.size(); ++i) {
      std::vector<double> ours;
      std::vector<double> others;
      append_moments(of_a.data() + i * a.size(), a, 1, ours);
      append_moments(of_b.data() + i * b.size(), b, 1, others);
      moments.insert(moments.end(), ours.begin(), ours.begin() + a.channels);  // means, then sums of squares
      moments.insert(moments.end(), others.begin(), others.begin() + b.channels);
      moments.insert(moments.end(), ours.begin() + a.channels, ours.end());
      moments.insert(moments.end(), others.begin() + b.channels, others.end());
    }
  }
  return moments;
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

std::vector<double> pair_moments(const PairSource& source, Range range) {
  check_range("pairs", range, pair_count(source));
  return std::visit([&](const auto& pairs) { return moments_of(pairs, range); }, source);
}

std::vector<std::int64_t> moment_pixels(const PairSource& source) {
  return std::visit([](const auto& pairs) { return pixels_of(pairs); }, source);
}

Standardisation standardise(std::span<const double> moments, std::span<const std::int64_t> pixels) {
  const std::int64_t channels = std::ssize(pixels);
  if (channels < 1 || std::ranges::min(pixels) < 1 || moments.empty() || std::ssize(moments) % (2 * channels) != 0) {
    fail(ExitCode::internal, "{} moments of {} channels", moments.size(), channels);
  }
  const std::int64_t pairs = std::ssize(moments) / (2 * channels);
  const auto step = static_cast<std::size_t>(2 * channels);
  Standardisation result;
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    const auto numbers = static_cast<double>(pixels[c]);
    double mean = 0;
    double squares = 0;
    for (std::int64_t i = 0; i < pairs; ++i) {
      const std::size_t at = static_cast<std::size_t>(i) * step + c;
      const auto before = static_cast<double>(i);  // in units of `pixels` numbers
      const double difference = moments[at] - mean;
      mean += difference / (before + 1);
      squares += moments[at + step / 2] + difference * difference * numbers * (before / (before + 1));
    }
    const double deviation = std::sqrt(squares / (static_cast<double>(pairs) * numbers));
    if (!std::isfinite(mean) || !std::isfinite(deviation)) {
      fail(ExitCode::input, "channel {} has mean {} and deviation {}, too large to standardise: scale the data", c,
           mean, deviation);
    }
    result.mean.push_back(mean);
    result.deviation.push_back(deviation > 0 ? deviation : 1);
  }
  return result;
}

void set_standardisation(PairSource& source, Standardisation standardisation) {
  std::visit([&](auto& pairs) { pairs.standardisation = std::move(standardisation); }, source);
}

}  // namespace stepwise
