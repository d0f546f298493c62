#include "stepwise/sim/input_span.hpp"

#include "stepwise/dist/gemm.hpp"
#include "stepwise/dist/lapack.hpp"

namespace stepwise {

InputSpan input_span(MatrixView<const double> x) {
  return {x.rows, qr_factors(x, true).q};
}

std::vector<double> coordinates(const InputSpan& span, MatrixView<const double> x) {
  const std::int64_t r = span.dimensions();
  std::vector<double> result(static_cast<std::size_t>(r * x.cols));
  gemm(1, Transpose::yes, span.view(), Transpose::no, x, 0, {result.data(), r, x.cols, r});
  return result;
}

void confine(TrainedNetwork& network, const InputSpan& span) {
  TrainedLayer& first = network.layers.front();
  std::vector<double> parameters = coordinates(span, first.matrix(network.parameters, {0, first.inputs}));
  const std::int64_t fewer = first.weights.size() - std::ssize(parameters);
  parameters.insert(parameters.end(), network.parameters.begin() + first.weights.end, network.parameters.end());
  first.inputs = span.dimensions();
  first.weights.end -= fewer;
  for (TrainedLayer& layer : network.layers) {
    for (Range* range : {&layer.weights, &layer.biases}) {
      if (range == &first.weights) continue;
      range->begin -= fewer;
      range->end -= fewer;
    }
  }
  network.parameters = std::move(parameters);
}

}  // namespace stepwise
