#include "stepwise/sim/input_span.hpp"

#include <algorithm>

#include "stepwise/core/error.hpp"
#include "stepwise/core/index.hpp"
#include "stepwise/dist/gemm.hpp"

extern "C" {
void dgeqrf_(const int* m, const int* n, double* a, const int* lda, double* tau, double* work, const int* lwork,
             int* info);
void dorgqr_(const int* m, const int* n, const int* k, double* a, const int* lda, const double* tau, double* work,
             const int* lwork, int* info);
}

namespace stepwise {

InputSpan input_span(MatrixView<const double> x) {
  InputSpan span{x.rows, {}};
  for (std::int64_t s = 0; s < x.cols; ++s) span.basis.insert(span.basis.end(), x.column(s), x.column(s) + x.rows);
  if (x.cols == 0) return span;
  const int m = narrow(x.rows, "the number of inputs");
  const int n = narrow(x.cols, "the number of samples");
  const int lwork = 64 * n;
  int info = 0;
  std::vector<double> tau(static_cast<std::size_t>(n));
  std::vector<double> work(static_cast<std::size_t>(lwork));
  dgeqrf_(&m, &n, span.basis.data(), &m, tau.data(), work.data(), &lwork, &info);
  if (info == 0) dorgqr_(&m, &n, &n, span.basis.data(), &m, tau.data(), work.data(), &lwork, &info);
  if (info != 0) fail(ExitCode::numerical, "QR factorisation of the samples failed: LAPACK says {}", info);
  return span;
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
