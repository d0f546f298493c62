#include "kernel/image_signals.hpp"

#include <cmath>

namespace stepwise {
namespace {

/// The pixel that a position beyond the edge stands for; -1: nothing.
std::int64_t neighbour(std::int64_t i, std::int64_t size, Padding padding) {
  if (padding == Padding::circular) return (i + size) % size;
  return i < size ? i : -1;
}

/// Means over size x size neighbours of each pixel; what lies beyond the edge counts as 0.
template <class T>
std::vector<T> averages(const std::vector<T>& in, const ImageStage& stage, const ConvLayer& conv) {
  constexpr auto width = lanes<T>;
  const std::int64_t radius = conv.size / 2;
  const T scale = 1 / static_cast<T>(conv.size * conv.size);
  std::vector<T> out(in.size());
  for (std::int64_t y = 0; y < stage.height; ++y) {
    for (std::int64_t x = 0; x < stage.width; ++x) {
      T* sum = out.data() + (y * stage.width + x) * width;
      for (std::int64_t dy = -radius; dy <= radius; ++dy) {
        for (std::int64_t dx = -radius; dx <= radius; ++dx) {
          const std::int64_t py = neighbour(y + dy, stage.height, conv.padding);
          const std::int64_t px = neighbour(x + dx, stage.width, conv.padding);
          if (py < 0 || px < 0) continue;
          const T* from = in.data() + (py * stage.width + px) * width;
          for (std::int64_t l = 0; l < width; ++l) sum[l] += scale * from[l];
        }
      }
    }
  }
  return out;
}

template <class T>
std::vector<T> roots(const std::vector<T>& variances) {
  std::vector<T> result;
  result.reserve(variances.size());
  for (const T a : variances) result.push_back(std::sqrt(a));
  return result;
}

template <class T>
std::vector<T> behind(const Layer& layer, const ImageStage& stage, std::vector<T> variances) {
  if (const auto* conv = std::get_if<ConvLayer>(&layer)) {
    variances = averages(variances, stage, *conv);
    const auto weight = static_cast<T>(conv->affine.weight_variance);
    const auto bias = static_cast<T>(conv->affine.bias_variance);
    for (T& a : variances) a = weight * a + bias;
  } else {
    const auto& activation = std::get<Activation>(layer);
    for (T& a : variances) a = static_cast<T>(second_moment(activation, static_cast<double>(a)));
  }
  return variances;
}

}  // namespace

template <class T>
std::vector<T> input_variances(const std::vector<T>& inputs, std::int64_t channels, std::int64_t pixels) {
  const std::int64_t numbers = pixels * lanes<T>;
  std::vector<T> variances(static_cast<std::size_t>(numbers));
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t i = 0; i < numbers; ++i) {
      const T value = inputs[static_cast<std::size_t>(c * numbers + i)];
      variances[static_cast<std::size_t>(i)] += value * value;
    }
  }
  for (T& a : variances) a /= static_cast<T>(channels);
  return variances;
}

template <class T>
std::vector<std::vector<T>> signal_lengths(const ImageStage& stage, std::vector<T>& variances) {
  std::vector<std::vector<T>> lengths{roots(variances)};
  for (const Layer& layer : stage.layers) {
    variances = behind(layer, stage, std::move(variances));
    lengths.push_back(roots(variances));
  }
  return lengths;
}

template std::vector<double> input_variances(const std::vector<double>&, std::int64_t, std::int64_t);
template std::vector<float> input_variances(const std::vector<float>&, std::int64_t, std::int64_t);
template std::vector<std::vector<double>> signal_lengths(const ImageStage&, std::vector<double>&);
template std::vector<std::vector<float>> signal_lengths(const ImageStage&, std::vector<float>&);

}  // namespace stepwise
