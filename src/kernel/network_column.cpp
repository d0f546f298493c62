#include "kernel/network_column.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernel/activation_columns.hpp"
#include "kernel/vector_clones.hpp"

namespace stepwise {
namespace {

/// Affine layer with weight variance w and bias variance v on pairs of signals of lengths p_i and q, which become
/// r_i and s: x.y -> w x.y + v. Every term is a sum of non-negative ones.
template <class T>
struct AffineStep {
  T w;
  T v;
  T tangent;  ///< ntk <- tangent x.y + tangent_bias + w ntk
  T tangent_bias;
  const T* p;
  T q;
  const T* r;
  T s;
};

template <class T>
STEPWISE_VECTOR_BODY void affine_body(std::int64_t count, const AffineStep<T>& step, PairColumn<T>& pairs) {
  const T w = step.w;
  const T v = step.v;
  const T q = step.q;
  const T s = step.s;
  const T tangent = T(0.25) * step.tangent;
  const T tangent_bias = step.tangent_bias;
  const T* __restrict p = step.p;
  const T* __restrict r = step.r;
  T* __restrict minus = pairs.minus;
  T* __restrict plus = pairs.plus;
  T* __restrict gap = pairs.gap;
  T* __restrict ntk = pairs.ntk;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    ntk[i] = tangent * (plus[i] - minus[i]) + tangent_bias + w * ntk[i];
    minus[i] *= w;
    plus[i] *= w;
  }
  if (v != 0) {
    constexpr T tiny = std::numeric_limits<T>::min() * 1000;
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) {
      const T difference = gap[i] / (p[i] + q + tiny);  // p - q without cancellation
      const T extra = 2 * w * v * difference * difference / (r[i] * s + w * p[i] * q + v);
      minus[i] += extra;
      plus[i] += extra + 4 * v;
    }
  }
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) gap[i] *= w;
}

STEPWISE_VECTOR_CLONES void affine(std::int64_t n, const AffineStep<double>& step, PairColumn<double>& pairs) {
  affine_body(n, step, pairs);
}
STEPWISE_VECTOR_CLONES void affine(std::int64_t n, const AffineStep<float>& step, PairColumn<float>& pairs) {
  affine_body(n, step, pairs);
}

double variance_after(const Layer& layer, double variance) {
  if (const auto* affine_layer = std::get_if<AffineLayer>(&layer)) {
    return affine_layer->weight_variance * variance + affine_layer->bias_variance;
  }
  if (const auto* activation = std::get_if<Activation>(&layer)) return second_moment(*activation, variance);
  return variance;
}

const ScalarActivation* scalar(const Layer& layer) {
  const auto* activation = std::get_if<Activation>(&layer);
  return activation == nullptr ? nullptr : std::get_if<ScalarActivation>(activation);
}

}  // namespace

template <class T>
Signals<T>::Signals(std::span<const Layer> layers, std::vector<double> variances)
    : count_(std::ssize(variances)), lengths_(variances.size() * (layers.size() + 1)), tables_(layers.size()) {
  const auto store = [&](std::size_t layer) {
    T* lengths = lengths_.data() + static_cast<std::int64_t>(layer) * count_;
    for (const double variance : variances) *lengths++ = static_cast<T>(std::sqrt(variance));
  };
  store(0);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    if (const ScalarActivation* activation = scalar(layers[l])) tables_[l] = hermite_table<T>(*activation, variances);
    for (double& variance : variances) variance = variance_after(layers[l], variance);
    store(l + 1);
  }
}

template <class T>
void network_column(std::span<const Layer> layers, NetworkKernel which, const Signals<T>& rows, std::int64_t first,
                    std::int64_t count, const Signals<T>& cols, std::int64_t col, PairColumn<T>& pairs, T* out) {
  T other[column_chunk];
  T other_after[column_chunk];
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const T* p = rows.before(l) + first;
    const T* r = rows.before(l + 1) + first;
    const T q = cols.before(l)[col];
    const T s = cols.before(l + 1)[col];
    if (const auto* layer = std::get_if<AffineLayer>(&layers[l])) {
      const TangentWeights tangent = layer->tangent_weights();
      affine(count,
             AffineStep<T>{static_cast<T>(layer->weight_variance), static_cast<T>(layer->bias_variance),
                           static_cast<T>(tangent.weight), static_cast<T>(tangent.bias), p, q, r, s},
             pairs);
    } else if (const auto* activation = std::get_if<Activation>(&layers[l])) {
      std::fill_n(other, count, q);
      std::fill_n(other_after, count, s);
      const PairLengths<T> lengths{p, other, r, other_after};
      if (scalar(layers[l]) != nullptr) {
        activate(rows.table(l), first, cols.table(l), col, count, lengths, pairs);
      } else {
        activate(*activation, count, lengths, pairs);
      }
    }
  }
  if (which == NetworkKernel::ntk) {
    std::copy_n(pairs.ntk, count, out);
  } else {
    for (std::int64_t i = 0; i < count; ++i) out[i] = T(0.25) * (pairs.plus[i] - pairs.minus[i]);
  }
}

template class Signals<double>;
template class Signals<float>;
template void network_column(std::span<const Layer>, NetworkKernel, const Signals<double>&, std::int64_t, std::int64_t,
                             const Signals<double>&, std::int64_t, PairColumn<double>&, double*);
template void network_column(std::span<const Layer>, NetworkKernel, const Signals<float>&, std::int64_t, std::int64_t,
                             const Signals<float>&, std::int64_t, PairColumn<float>&, float*);

}  // namespace stepwise
