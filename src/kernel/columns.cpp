#include "kernel/columns.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

// One binary for every x86-64 processor: the loader picks the version of these loops that the machine can run. The
// loops themselves are templates that each version compiles anew, so they must be inlined.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define STEPWISE_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define STEPWISE_VECTOR_BODY __attribute__((always_inline)) inline
#else
#define STEPWISE_VECTOR_CLONES
#define STEPWISE_VECTOR_BODY inline
#endif

namespace stepwise {
namespace {

/// Affine layer with weight variance w and bias variance v on pairs of signals of lengths p_i and q, which become
/// r_i and s: x.y -> w x.y + v. Every term is a sum of non-negative ones.
template <class T>
struct AffineStep {
  T w;
  T v;
  T gap_scale;
  const T* p;
  T q;
  const T* r;
  T s;
};

template <class T>
STEPWISE_VECTOR_BODY void affine_body(std::int64_t count, const AffineStep<T>& step, PairColumn<T>& pairs) {
  const T w = step.w;
  const T v = step.v;
  const T gap_scale = step.gap_scale;
  const T q = step.q;
  const T s = step.s;
  const T* __restrict p = step.p;
  const T* __restrict r = step.r;
  T* __restrict minus = pairs.minus;
  T* __restrict plus = pairs.plus;
  const T* __restrict gap = pairs.gap;
  if (v == 0) {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) {
      minus[i] *= w;
      plus[i] *= w;
    }
    return;
  }
  constexpr T tiny = std::numeric_limits<T>::min() * 1000;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const T difference = gap[i] * gap_scale / (p[i] + q + tiny);  // p - q without cancellation
    const T extra = 2 * w * v * difference * difference / (r[i] * s + w * p[i] * q + v);
    minus[i] = w * minus[i] + extra;
    plus[i] = w * plus[i] + extra + 4 * v;
  }
}

/// ntk <- c + w ntk with c = (plus - minus) / 4.
template <class T>
STEPWISE_VECTOR_BODY void add_layer_body(std::int64_t count, T w, const PairColumn<T>& pairs, T* __restrict ntk) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) ntk[i] = T(0.25) * (pairs.plus[i] - pairs.minus[i]) + w * ntk[i];
}

/// The activation of ReluNetwork on signals of lengths r_i and s at angle th, with g = (1 + slope^2) / 2 and
/// q = (1 - slope)^2 / (2 pi): x.y -> q r s sin th + (g - q th) x.y; ntk <- ntk (g - q th).
template <class T>
struct Bend {
  T g;
  T q;
  bool even;  ///< the absolute value: antipodal signals become equal ones
};

template <class T>
STEPWISE_VECTOR_BODY void bend_body(std::int64_t count, const Bend<T>& bend, const T* __restrict r, T s,
                                    PairColumn<T>& pairs, T* __restrict ntk) {
  const T g = bend.g;
  const T q = bend.q;
  const bool even = bend.even;
  T* __restrict minus = pairs.minus;
  T* __restrict plus = pairs.plus;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const bool turned = even && plus[i] < minus[i];
    const T low = turned ? plus[i] : minus[i];
    const T high = turned ? minus[i] : plus[i];
    const T chord = std::sqrt(low);
    const T cochord = std::sqrt(high);
    const T th = 2 * std::atan2(chord, cochord);
    const T sine = T(0.5) * chord * cochord;  // r s sin th
    const T cosine = T(0.25) * (high - low);  // r s cos th
    const T square = th * th;
    // sin th - th cos th, by its series where the difference would cancel
    const T series =
        r[i] * s * th * square / 3 * (1 - square / 10 * (1 - square / 28 * (1 - square / 54 * (1 - square / 88))));
    const T difference = square < T(0.09) ? series : sine - th * cosine;
    const T slope = g - q * th;
    minus[i] = std::max(g * low - 2 * q * difference, T(0));
    plus[i] = g * high + 2 * q * difference;
    ntk[i] *= turned ? -slope : slope;
  }
}

template <class T>
STEPWISE_VECTOR_BODY void gaussian_body(std::int64_t count, double length_scale, T* __restrict values) {
  const T factor = static_cast<T>(-0.5 / (length_scale * length_scale));
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) values[i] = std::exp(values[i] * factor);
}

template <class T>
STEPWISE_VECTOR_BODY void laplace_body(std::int64_t count, double length_scale, T* __restrict values) {
  const T factor = static_cast<T>(-1 / length_scale);
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) values[i] = std::exp(std::sqrt(values[i]) * factor);
}

STEPWISE_VECTOR_CLONES void affine(std::int64_t n, const AffineStep<double>& step, PairColumn<double>& pairs) {
  affine_body(n, step, pairs);
}
STEPWISE_VECTOR_CLONES void affine(std::int64_t n, const AffineStep<float>& step, PairColumn<float>& pairs) {
  affine_body(n, step, pairs);
}
STEPWISE_VECTOR_CLONES void add_layer(std::int64_t n, double w, const PairColumn<double>& pairs, double* ntk) {
  add_layer_body(n, w, pairs, ntk);
}
STEPWISE_VECTOR_CLONES void add_layer(std::int64_t n, float w, const PairColumn<float>& pairs, float* ntk) {
  add_layer_body(n, w, pairs, ntk);
}
STEPWISE_VECTOR_CLONES void activate(std::int64_t n, const Bend<double>& bend, const double* r, double s,
                                     PairColumn<double>& pairs, double* ntk) {
  bend_body(n, bend, r, s, pairs, ntk);
}
STEPWISE_VECTOR_CLONES void activate(std::int64_t n, const Bend<float>& bend, const float* r, float s,
                                     PairColumn<float>& pairs, float* ntk) {
  bend_body(n, bend, r, s, pairs, ntk);
}

}  // namespace

STEPWISE_VECTOR_CLONES void gaussian_column(std::int64_t count, double length_scale, double* values) {
  gaussian_body(count, length_scale, values);
}
STEPWISE_VECTOR_CLONES void gaussian_column(std::int64_t count, double length_scale, float* values) {
  gaussian_body(count, length_scale, values);
}
STEPWISE_VECTOR_CLONES void laplace_column(std::int64_t count, double length_scale, double* values) {
  laplace_body(count, length_scale, values);
}
STEPWISE_VECTOR_CLONES void laplace_column(std::int64_t count, double length_scale, float* values) {
  laplace_body(count, length_scale, values);
}

template <class T>
SignalLengths<T>::SignalLengths(const ReluNetwork& network, const T* squared_norms, std::int64_t n,
                                std::int64_t features)
    : count(n), lengths(static_cast<std::size_t>(n) * (network.layers.size() + 1)) {
  for (std::int64_t i = 0; i < count; ++i) {
    double diagonal = static_cast<double>(squared_norms[i]) / static_cast<double>(features);
    T* entry = lengths.data() + i;
    *entry = static_cast<T>(std::sqrt(diagonal));
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      if (l > 0) diagonal *= network.gain();  // the activation before
      diagonal = network.layers[l].weight_variance * diagonal + network.layers[l].bias_variance;
      entry += count;
      *entry = static_cast<T>(std::sqrt(diagonal));
    }
  }
}

template <class T>
void relu_network_column(const ReluNetwork& network, const SignalLengths<T>& rows, std::int64_t first,
                         std::int64_t count, const SignalLengths<T>& cols, std::int64_t col, PairColumn<T>& pairs,
                         T* out) {
  const double gain = network.gain();
  const double jump = 1 - network.negative_slope;
  const Bend<T> bend{static_cast<T>(gain), static_cast<T>(jump * jump / (2 * std::numbers::pi)),
                     network.negative_slope == -1};
  const auto root = static_cast<T>(std::sqrt(gain));
  T ntk[column_chunk];
  T activated[column_chunk];  // lengths after an activation
  std::fill(ntk, ntk + count, T{0});
  const T* p = rows.input() + first;
  T q = cols.input()[col];
  double gap_scale = 1;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const AffineLayer layer = network.layers[l];
    const auto weight = static_cast<T>(layer.weight_variance);
    if (l > 0) {
      const T* before = rows.after(l - 1) + first;
      q = cols.after(l - 1)[col];
      activate(count, bend, before, q, pairs, ntk);
      for (std::int64_t i = 0; i < count; ++i) activated[i] = before[i] * root;
      p = activated;
      q *= root;
      gap_scale *= gain;
    }
    affine(count,
           AffineStep<T>{weight, static_cast<T>(layer.bias_variance), static_cast<T>(gap_scale), p, q,
                         rows.after(l) + first, cols.after(l)[col]},
           pairs);
    gap_scale *= layer.weight_variance;
    add_layer(count, weight, pairs, ntk);
  }
  if (network.which == NetworkKernel::ntk) {
    std::copy(ntk, ntk + count, out);
  } else {
    for (std::int64_t i = 0; i < count; ++i) out[i] = T(0.25) * (pairs.plus[i] - pairs.minus[i]);
  }
}

template struct SignalLengths<double>;
template struct SignalLengths<float>;
template void relu_network_column(const ReluNetwork&, const SignalLengths<double>&, std::int64_t, std::int64_t,
                                  const SignalLengths<double>&, std::int64_t, PairColumn<double>&, double*);
template void relu_network_column(const ReluNetwork&, const SignalLengths<float>&, std::int64_t, std::int64_t,
                                  const SignalLengths<float>&, std::int64_t, PairColumn<float>&, float*);

}  // namespace stepwise
