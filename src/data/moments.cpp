#include <algorithm>
#include <cmath>

#include "data/array_pairs.hpp"
#include "data/multimodal_pairs.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/data/pairs.hpp"

namespace stepwise {
namespace {

/// Numbers read at once for the moments of a file: bounds the memory.
constexpr std::int64_t moment_batch = std::int64_t{1} << 20;

std::vector<std::int64_t> same_for_channels(const ImageShape& shape, std::int64_t parts) {
  std::vector<std::int64_t> pixels(static_cast<std::size_t>(shape.channels), parts * shape.height * shape.width);
  return pixels;
}
std::vector<std::int64_t> pixels_of(const ImagePairs& source) {
  return same_for_channels(shape(source.train), 1);
}
std::vector<std::int64_t> pixels_of(const ArrayPairs& source) {
  return same_for_channels(source.shape, source.views);
}
std::vector<std::int64_t> pixels_of(const IndexPairs&) {
  return {};
}

std::vector<std::int64_t> pixels_of(const MultimodalPairs& source) {
  std::vector<std::int64_t> pixels = same_for_channels(source.shapes[0], 1);
  const std::vector<std::int64_t> others = same_for_channels(source.shapes[1], 1);
  pixels.insert(pixels.end(), others.begin(), others.end());
  return pixels;
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

std::vector<double> moments_of(const IndexPairs& source, Range) {
  fail(ExitCode::internal, "rows of {} have no mean", source.train->name);
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

}  // namespace

std::vector<double> pair_moments(const PairSource& source, Range range) {
  if (range.begin < 0 || range.end < range.begin || range.end > pair_count(source)) {
    fail(ExitCode::internal, "pairs {} to {} asked for, there are {}", range.begin, range.end, pair_count(source));
  }
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

}  // namespace stepwise
