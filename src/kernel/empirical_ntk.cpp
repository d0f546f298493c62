#include "stepwise/kernel/empirical_ntk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernel/perceptron.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/core/matrix_view.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

/// Samples handled at once, so that what is needed meanwhile stays small.
constexpr std::int64_t most_signals = 512;

Perceptron network_of(const FiniteNetworks& of) {
  auto network = perceptron(of.layers);
  if (!network) {
    fail(ExitCode::input,
         "--kernel.type empirical-ntk is for fully connected networks: affine layers with an activation between each "
         "two, as in dense, relu, dense");
  }
  return *std::move(network);
}

bool trained(const AffineLayer& layer) {
  const TangentWeights tangent = layer.tangent_weights();
  return tangent.weight > 0 || tangent.bias > 0;
}

/// Signals that run back from the readout, one for each output unless these are one function.
std::int64_t signals_of(const FiniteNetworks& of) {
  return of.multi_output == MultiOutput::trace ? of.outputs : 1;
}

std::int64_t fan_in(const TangentFeatures& features, std::size_t layer) {
  return layer == 0 ? features.inputs : features.of.width;
}

/// Hands out the places of a sample's numbers and says what is multiplied with what.
void lay_out(TangentFeatures& features, const Perceptron& network) {
  const std::size_t last = network.activations.size();
  const auto networks = static_cast<std::size_t>(features.of.networks);
  const std::int64_t signals = features.of.width * signals_of(features.of);
  const auto take = [&](std::int64_t size) {
    const Range part{features.count, features.count + size};
    features.count = part.end;
    return part;
  };
  const auto entering = [&](std::size_t l) {
    return take(fan_in(features, l) + (network.affine[l].tangent_weights().bias > 0 ? 1 : 0));
  };
  features.places.assign(networks, std::vector<TangentFeatures::Place>(last + 1));
  auto& terms = features.kernel.terms;
  if (trained(network.affine.front())) {
    const Range inputs = entering(0);
    const std::int64_t begin = features.count;
    for (auto& place : features.places) {
      place.front().entering = inputs.begin;
      if (last > 0) place.front().signals = take(signals).begin;
    }
    terms.push_back({inputs, {begin, features.count}});
  }
  if (last > 0 && trained(network.affine.back())) {
    const std::int64_t begin = features.count;
    for (auto& place : features.places) place.back().entering = entering(last).begin;
    terms.push_back({{begin, features.count}, {}});
  }
  for (std::size_t l = 1; l < last; ++l) {
    if (!trained(network.affine[l])) continue;
    for (auto& place : features.places) {
      const Range left = entering(l);
      const Range right = take(signals);
      place[l] = {left.begin, right.begin};
      terms.push_back({left, right});
    }
  }
}

TangentFeatures::Weights draw(const TangentFeatures& features, const Perceptron& network, int number,
                              std::uint64_t seed) {
  TangentFeatures::Weights weights;
  const std::int64_t width = features.of.width;
  const std::size_t last = network.activations.size();
  const int view = 2 * number;  // biases and weights draw from streams of their own
  for (std::size_t l = 0; l < last; ++l) {
    const auto layer = static_cast<std::int64_t>(l);
    weights.layers.push_back(normal_numbers(seed, layer, fan_in(features, l), width, view));
    const double bias = network.affine[l].bias_variance;
    weights.biases.push_back(bias > 0 ? normal_numbers(seed, layer, width, 1, view + 1) : std::vector<double>{});
    for (double& x : weights.biases.back()) x *= std::sqrt(bias);
  }
  if (last == 0) return weights;
  const std::int64_t outputs = features.of.outputs;
  const double scale = 1 / std::sqrt(static_cast<double>(outputs));
  weights.readout = normal_numbers(seed, static_cast<std::int64_t>(last), width, outputs, view);
  for (double& x : weights.readout) x *= scale;
  if (features.of.multi_output == MultiOutput::scalar) {
    for (auto i = static_cast<std::size_t>(width); i < weights.readout.size(); ++i) {
      weights.readout[i % static_cast<std::size_t>(width)] += weights.readout[i];
    }
    weights.readout.resize(static_cast<std::size_t>(width));
  }
  return weights;
}

/// One network on a few samples.
class Pass {
 public:
  Pass(const TangentFeatures& features, const Perceptron& network, std::size_t number, MatrixView<double> out)
      : features_(features),
        network_(network),
        weights_(features.weights[number]),
        places_(features.places[number]),
        out_(out),
        width_(features.of.width),
        share_(1 / std::sqrt(static_cast<double>(features.of.networks))) {}

  void run(const std::vector<double>& data) {
    const std::size_t last = network_.activations.size();
    std::vector<double> signal = data;
    for (std::size_t l = 0; l < last; ++l) {
      put_entering(l, signal, 1);
      signal = affine(weights_.layers[l], weights_.biases[l], width_, fan_in(features_, l), signal, factor(l));
      slopes_.push_back(signal);
      for (double& z : slopes_.back()) z = derivative(network_.activations[l], z);
      for (double& z : signal) z = value(network_.activations[l], z);
    }
    put_entering(last, signal, last == 0 ? 1 : share_);
    if (last > 0) back();
  }

 private:
  [[nodiscard]] double factor(std::size_t l) const {
    return std::sqrt(network_.affine[l].weight_variance / static_cast<double>(fan_in(features_, l)));
  }

  void put_entering(std::size_t l, const std::vector<double>& signal, double share) const {
    if (places_[l].entering < 0) return;
    const std::int64_t rows = fan_in(features_, l);
    const TangentWeights tangent = network_.affine[l].tangent_weights();
    const double scale = share * std::sqrt(tangent.weight / static_cast<double>(rows));
    for (std::int64_t s = 0; s < out_.cols; ++s) {
      double* to = out_.column(s) + places_[l].entering;
      const double* from = signal.data() + s * rows;
      for (std::int64_t i = 0; i < rows; ++i) to[i] = scale * from[i];
      if (tangent.bias > 0) to[rows] = share * std::sqrt(tangent.bias);
    }
  }

  /// d_L = phi'(z_L) o readout, d_l = phi'(z_l) o W d_{l+1}, one column for each sample and output.
  void back() const {
    const std::int64_t signals = signals_of(features_.of);
    std::vector<double> d;
    for (std::size_t l = network_.activations.size(); l-- > 0;) {
      if (d.empty()) {
        d.reserve(slopes_.back().size() * static_cast<std::size_t>(signals));
        for (std::int64_t s = 0; s < out_.cols; ++s) {
          for (const double w : weights_.readout) d.push_back(share_ * factor(l + 1) * w);
        }
      } else {
        const std::int64_t columns = out_.cols * signals;
        std::vector<double> next(d.size());
        gemm(factor(l + 1), Transpose::no, {weights_.layers[l + 1].data(), width_, width_, width_}, Transpose::no,
             {d.data(), width_, columns, width_}, 0, {next.data(), width_, columns, width_});
        d.swap(next);
      }
      for (std::int64_t s = 0; s < out_.cols; ++s) {
        const double* slope = slopes_[l].data() + s * width_;
        double* own = d.data() + s * signals * width_;
        for (std::int64_t k = 0; k < signals; ++k) {
          for (std::int64_t i = 0; i < width_; ++i) own[k * width_ + i] *= slope[i];
        }
        if (places_[l].signals >= 0) std::copy_n(own, signals * width_, out_.column(s) + places_[l].signals);
      }
    }
  }

  const TangentFeatures& features_;
  const Perceptron& network_;
  const TangentFeatures::Weights& weights_;
  const std::vector<TangentFeatures::Place>& places_;
  MatrixView<double> out_;
  std::int64_t width_;
  double share_;
  std::vector<std::vector<double>> slopes_;  // phi'(z_l)
};

}  // namespace

TangentFeatures draw_networks(const FiniteNetworks& of, std::int64_t inputs, std::uint64_t seed) {
  const Perceptron network = network_of(of);
  const auto require = [](const char* option, std::int64_t number, std::int64_t most) {
    if (number < 1 || number > most) fail(ExitCode::input, "{} is {}, must be from 1 to {}", option, number, most);
  };
  require("--kernel.width", of.width, most_width);
  require("--kernel.networks", of.networks, most_networks);
  require("--kernel.outputs", of.outputs, most_width);
  if (std::none_of(network.affine.begin(), network.affine.end(), trained)) {
    fail(ExitCode::input, "--kernel.type empirical-ntk: no layer is trained, so the kernel is zero everywhere");
  }
  TangentFeatures features{of, inputs, 0, {}, {}, {}};
  lay_out(features, network);
  for (int number = 0; number < of.networks; ++number)
    features.weights.push_back(draw(features, network, number, seed));
  return features;
}

double tangent_numbers(const FiniteNetworks& of, std::int64_t inputs) {
  const auto depth = static_cast<double>(network_of(of).activations.size());
  const auto m = static_cast<double>(inputs);
  const auto width = static_cast<double>(of.width);
  const double readout = width * static_cast<double>(of.outputs);
  const double each = depth == 0 ? 0 : width * (m + (depth - 1) * width) + readout;
  const double features = depth * (width + 1 + width * static_cast<double>(signals_of(of)));
  return m + 1 + static_cast<double>(of.networks) * (each + features);
}

std::vector<double> feature_vectors(const TangentFeatures& features, const std::vector<double>& data) {
  const Perceptron network = network_of(features.of);
  const std::int64_t n = std::ssize(data) / features.inputs;
  const std::int64_t batch = std::max(most_signals / signals_of(features.of), std::int64_t{1});
  std::vector<double> result(static_cast<std::size_t>(features.count * n));
  const MatrixView<double> whole{result.data(), features.count, n, features.count};
  for (std::int64_t begin = 0; begin < n; begin += batch) {
    const std::int64_t size = std::min(batch, n - begin);
    const std::vector<double> part(data.begin() + begin * features.inputs,
                                   data.begin() + (begin + size) * features.inputs);
    for (std::size_t s = 0; s < features.weights.size(); ++s) {
      Pass(features, network, s, whole.block(0, begin, features.count, size)).run(part);
    }
  }
  return result;
}

std::string describe(const FiniteNetworks& of) {
  const std::string outputs =
      of.outputs == 1
          ? "one output"
          : fmt::format("{} outputs ({})", of.outputs,
                        of.multi_output == MultiOutput::trace ? "mean of their kernels" : "of their sum / sqrt K");
  return fmt::format("empirical ntk, mean over {} {} of width {} with {}: {}", of.networks,
                     of.networks == 1 ? "network" : "networks", of.width, outputs, describe_layers(of.layers));
}

}  // namespace stepwise
