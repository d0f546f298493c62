#include "kernel/perceptron.hpp"

#include "stepwise/core/random.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {

std::optional<Perceptron> perceptron(const Network& network) {
  Perceptron result;
  if (network.layers.size() % 2 == 0) return std::nullopt;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const auto* affine_layer = std::get_if<AffineLayer>(&network.layers[l]);
    const auto* activation = std::get_if<Activation>(&network.layers[l]);
    if (l % 2 == 0 ? affine_layer == nullptr : activation == nullptr) return std::nullopt;
    if (affine_layer != nullptr) result.affine.push_back(*affine_layer);
    if (activation != nullptr) result.activations.push_back(*activation);
  }
  return result;
}

std::vector<double> normal_numbers(std::uint64_t seed, std::int64_t layer, std::int64_t rows, std::int64_t cols,
                                   int view) {
  constexpr std::int64_t most_columns = std::int64_t{1} << 32;
  std::vector<double> numbers(static_cast<std::size_t>(rows * cols));
#pragma omp parallel for
  for (std::int64_t j = 0; j < cols; ++j) {
    RandomStream stream(seed, Purpose::feature, layer * most_columns + j, view);
    for (std::int64_t i = 0; i < rows; ++i) numbers[static_cast<std::size_t>(i + j * rows)] = stream.normal();
  }
  return numbers;
}

std::vector<double> affine(const std::vector<double>& weights, const std::vector<double>& biases, std::int64_t outputs,
                           std::int64_t inputs, const std::vector<double>& data, double scale) {
  const std::int64_t n = std::ssize(data) / inputs;
  std::vector<double> result(static_cast<std::size_t>(outputs * n));
  gemm(scale, Transpose::yes, {weights.data(), inputs, outputs, inputs}, Transpose::no,
       {data.data(), inputs, n, inputs}, 0, {result.data(), outputs, n, outputs});
  for (std::int64_t s = 0; s < n && !biases.empty(); ++s) {
    for (std::int64_t j = 0; j < outputs; ++j) {
      result[static_cast<std::size_t>(j + s * outputs)] += biases[static_cast<std::size_t>(j)];
    }
  }
  return result;
}

}  // namespace stepwise
