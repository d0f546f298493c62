#include "kernel/columns.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

// One binary for every x86-64 processor: the loader picks the version of these loops that the machine can run.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define STEPWISE_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define STEPWISE_VECTOR_CLONES
#endif

namespace stepwise {
namespace {

constexpr double pi = std::numbers::pi;
constexpr double tiny = 1e-300;

/// Affine layer with weight variance w and bias variance v on pairs of signals of lengths p_i and q, which become
/// r_i and s: x.y -> w x.y + v. Every term is a sum of non-negative ones.
STEPWISE_VECTOR_CLONES
void affine(std::int64_t count, double w, double v, double gap_scale, const double* __restrict p, double q,
            const double* __restrict r, double s, PairColumn& pairs) {
  double* __restrict minus = pairs.minus;
  double* __restrict plus = pairs.plus;
  const double* __restrict gap = pairs.gap;
  if (v == 0) {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) {
      minus[i] *= w;
      plus[i] *= w;
    }
    return;
  }
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const double difference = gap[i] * gap_scale / (p[i] + q + tiny);  // p - q without cancellation
    const double extra = 2 * w * v * difference * difference / (r[i] * s + w * p[i] * q + v);
    minus[i] = w * minus[i] + extra;
    plus[i] = w * plus[i] + extra + 4 * v;
  }
}

/// ntk <- c + w ntk with c = (plus - minus) / 4.
STEPWISE_VECTOR_CLONES
void add_layer(std::int64_t count, double w, const PairColumn& pairs, double* __restrict ntk) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) ntk[i] = 0.25 * (pairs.plus[i] - pairs.minus[i]) + w * ntk[i];
}

/// ReLU on signals of lengths r_i and s at angle th: x.y -> (sin th + (pi - th) cos th) r s / (2 pi);
/// ntk <- ntk (pi - th) / (2 pi).
STEPWISE_VECTOR_CLONES
void relu(std::int64_t count, const double* __restrict r, double s, PairColumn& pairs, double* __restrict ntk) {
  double* __restrict minus = pairs.minus;
  double* __restrict plus = pairs.plus;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const double chord = std::sqrt(minus[i]);
    const double cochord = std::sqrt(plus[i]);
    const double th = 2 * std::atan2(chord, cochord);
    const double product = r[i] * s;
    const double sine = 0.5 * chord * cochord;          // product * sin th
    const double cosine = 0.25 * (plus[i] - minus[i]);  // product * cos th
    const double square = th * th;
    // sin th - th cos th, by its series where the difference would cancel
    const double series =
        product * th * square / 3 * (1 - square / 10 * (1 - square / 28 * (1 - square / 54 * (1 - square / 88))));
    const double difference = square < 0.09 ? series : sine - th * cosine;
    const double angular = (pi - th) / (2 * pi);
    minus[i] = std::max(0.5 * minus[i] - difference / pi, 0.0);
    plus[i] = product + sine / pi + 2 * angular * cosine;
    ntk[i] *= angular;
  }
}

}  // namespace

STEPWISE_VECTOR_CLONES
void gaussian_column(std::int64_t count, double length_scale, double* __restrict values) {
  const double factor = -0.5 / (length_scale * length_scale);
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) values[i] = std::exp(values[i] * factor);
}

STEPWISE_VECTOR_CLONES
void laplace_column(std::int64_t count, double length_scale, double* __restrict values) {
  const double factor = -1 / length_scale;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) values[i] = std::exp(std::sqrt(values[i]) * factor);
}

SignalLengths::SignalLengths(const ReluNetwork& network, const double* squared_norms, std::int64_t n,
                             std::int64_t features)
    : count(n), lengths(static_cast<std::size_t>(n) * (network.layers.size() + 1)) {
  for (std::int64_t i = 0; i < count; ++i) {
    double diagonal = squared_norms[i] / static_cast<double>(features);
    double* entry = lengths.data() + i;
    *entry = std::sqrt(diagonal);
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      if (l > 0) diagonal /= 2;  // the activation before
      diagonal = network.layers[l].weight_variance * diagonal + network.layers[l].bias_variance;
      entry += count;
      *entry = std::sqrt(diagonal);
    }
  }
}

void relu_network_column(const ReluNetwork& network, const SignalLengths& rows, std::int64_t first, std::int64_t count,
                         const SignalLengths& cols, std::int64_t col, PairColumn& pairs, double* out) {
  double ntk[column_chunk];
  double halved[column_chunk];  // lengths after an activation
  std::fill(ntk, ntk + count, 0.0);
  const double* p = rows.input() + first;
  double q = cols.input()[col];
  double gap_scale = 1;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const AffineLayer layer = network.layers[l];
    const double* r = rows.after(l) + first;
    const double s = cols.after(l)[col];
    if (l > 0) {
      const double* before = rows.after(l - 1) + first;
      q = cols.after(l - 1)[col];
      relu(count, before, q, pairs, ntk);
      for (std::int64_t i = 0; i < count; ++i) halved[i] = before[i] * std::numbers::sqrt2 / 2;
      p = halved;
      q *= std::numbers::sqrt2 / 2;
      gap_scale /= 2;
    }
    affine(count, layer.weight_variance, layer.bias_variance, gap_scale, p, q, r, s, pairs);
    gap_scale *= layer.weight_variance;
    add_layer(count, layer.weight_variance, pairs, ntk);
  }
  if (network.which == NetworkKernel::ntk) {
    std::copy(ntk, ntk + count, out);
  } else {
    for (std::int64_t i = 0; i < count; ++i) out[i] = 0.25 * (pairs.plus[i] - pairs.minus[i]);
  }
}

}  // namespace stepwise
