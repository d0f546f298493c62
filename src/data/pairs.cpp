#include "stepwise/data/pairs.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "data/array_pairs.hpp"
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

ImageShape shape_of(const IndexPairs&) {
  return {1, 1, 1};
}

ImageShape moment_shape(const ImagePairs& source) {
  return shape(source.train);
}
ImageShape moment_shape(const ArrayPairs& source) {
  return source.shape;
}
ImageShape moment_shape(const IndexPairs& source) {
  return shape_of(source);
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
  std::int64_t held = -1;  // both views of a pair are usually asked for in turn
  for (std::int64_t j = 0; j < out.cols; ++j) {
    const std::int64_t sample = samples[static_cast<std::size_t>(j)];
    const std::int64_t pair = sample / 2;
    if (pair != held) read_image(source.train, pair % image_count(source), image);
    held = pair;
    make_view(image, whole, source.views, source.standardisation, source.seed, pair, static_cast<int>(sample % 2),
              column(out, j));
  }
}

void read(const ArrayPairs& source, std::span<const std::int64_t> samples, MatrixView<double> out) {
  read_stored_samples(source, samples, out);
  apply(source.standardisation, out);
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
  const std::int64_t batch = std::max<std::int64_t>(1, moment_batch / (2 * size));
  std::vector<double> values;
  std::vector<std::int64_t> samples;
  std::vector<double> moments;
  for (std::int64_t first = range.begin; first < range.end; first += batch) {
    const std::int64_t pairs = std::min(batch, range.end - first);
    values.resize(static_cast<std::size_t>(2 * pairs * size));
    samples.clear();
    for (std::int64_t sample = 2 * first; sample < 2 * (first + pairs); ++sample) samples.push_back(sample);
    read_stored_samples(source, samples, {values.data(), size, 2 * pairs, size});
    for (std::int64_t i = 0; i < pairs; ++i) append_moments(values.data() + 2 * i * size, source.shape, 2, moments);
  }
  return moments;
}

std::vector<double> moments_of(const IndexPairs& source, Range) {
  fail(ExitCode::internal, "rows of {} have no mean", source.train->name);
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

std::int64_t test_count(const PairSource& source) {
  return std::visit([](const auto& pairs) { return pairs.tests; }, source);
}

ImageShape sample_shape(const PairSource& source) {
  return std::visit([](const auto& pairs) { return shape_of(pairs); }, source);
}

void read_samples(const PairSource& source, std::span<const std::int64_t> samples, MatrixView<double> out) {
  check_target(source, std::ssize(samples), out);
  if (samples.empty()) return;
  const auto [lowest, highest] = std::ranges::minmax(samples);
  check_range("samples", {lowest, highest + 1}, 2 * pair_count(source));
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

std::int64_t moment_pixels(const PairSource& source) {
  const ImageShape whole = std::visit([](const auto& pairs) { return moment_shape(pairs); }, source);
  return whole.height * whole.width * (std::holds_alternative<ArrayPairs>(source) ? 2 : 1);
}

Standardisation standardise(std::span<const double> moments, std::int64_t channels, std::int64_t pixels) {
  if (channels < 1 || pixels < 1 || moments.empty() || std::ssize(moments) % (2 * channels) != 0) {
    fail(ExitCode::internal, "{} moments of {} channels, {} numbers each", moments.size(), channels, pixels);
  }
  const std::int64_t pairs = std::ssize(moments) / (2 * channels);
  const auto step = static_cast<std::size_t>(2 * channels);
  Standardisation result;
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    double mean = 0;
    double squares = 0;
    for (std::int64_t i = 0; i < pairs; ++i) {
      const std::size_t at = static_cast<std::size_t>(i) * step + c;
      const auto before = static_cast<double>(i);  // in units of `pixels` numbers
      const double difference = moments[at] - mean;
      mean += difference / (before + 1);
      squares +=
          moments[at + step / 2] + difference * difference * static_cast<double>(pixels) * (before / (before + 1));
    }
    const double deviation = std::sqrt(squares / (static_cast<double>(pairs) * static_cast<double>(pixels)));
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
