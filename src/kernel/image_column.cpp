#include "kernel/image_column.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernel/activation_columns.hpp"
#include "kernel/vector_angle.hpp"
#include "kernel/vector_clones.hpp"

namespace stepwise {
namespace {

template <class T>
STEPWISE_VECTOR_BODY void distances_body(std::int64_t pixels, std::int64_t channels, T scale, const T* __restrict x,
                                         std::int64_t x_stride, const T* __restrict y, std::int64_t y_stride,
                                         T* __restrict distance) {
  constexpr auto width = lanes<T>;
  for (std::int64_t i = 0; i < pixels; ++i) {
    T sum[width] = {};
    for (std::int64_t c = 0; c < channels; ++c) {
      const T* own = x + (c * x_stride + i) * width;
      const T* other = y + (c * y_stride + i) * width;
#pragma omp simd
      for (std::int64_t l = 0; l < width; ++l) {
        const T difference = own[l] - other[l];
        sum[l] += difference * difference;
      }
    }
#pragma omp simd
    for (std::int64_t l = 0; l < width; ++l) distance[i * width + l] = scale * sum[l];
  }
}

template <class T>
STEPWISE_VECTOR_BODY void covariance_body(std::int64_t pixels, T weight, T inherit, const T* __restrict r,
                                          const T* __restrict s, const T* __restrict distance, T* __restrict ntk) {
#pragma omp simd
  for (std::int64_t at = 0; at < pixels * lanes<T>; ++at) {
    ntk[at] = T(0.5) * weight * (r[at] * r[at] + s[at] * s[at] - distance[at]) + inherit * ntk[at];
  }
}

/// Sums over neighbours along one direction: out[i] = factor sum_{|k| <= margin} in[i + k step].
template <class T>
STEPWISE_VECTOR_BODY void line_sums(std::int64_t numbers, std::int64_t margin, std::int64_t step, T factor, T constant,
                                    const T* __restrict in, T* __restrict out) {
  if (margin == 1) {
#pragma omp simd
    for (std::int64_t i = 0; i < numbers; ++i) out[i] = factor * (in[i - step] + in[i] + in[i + step]) + constant;
    return;
  }
#pragma omp simd
  for (std::int64_t i = 0; i < numbers; ++i) {
    T sum = 0;
    for (std::int64_t k = -margin; k <= margin; ++k) sum += in[i + k * step];
    out[i] = factor * sum + constant;
  }
}

template <class T>
STEPWISE_VECTOR_BODY void box_body(const Field<T>& field, std::int64_t radius, T factor, T constant,
                                   T* __restrict scratch) {
  constexpr auto width = lanes<T>;
  const std::int64_t margin = field.margin;
  const std::int64_t row = (field.cols + 2 * margin) * width;
  for (std::int64_t y = 0; y < field.rows; ++y) {
    line_sums(row, radius, row, factor, T(0), field.row(y) - margin * width, scratch + y * row);
  }
  for (std::int64_t y = 0; y < field.rows; ++y) {
    line_sums(field.cols * width, radius, width, T(1), constant, scratch + y * row + margin * width, field.row(y));
  }
}

template <bool Even, class T>
STEPWISE_VECTOR_BODY void rectify_all(std::int64_t pixels, const RectifierStep<T>& step, const T* __restrict r,
                                      const T* __restrict s, T* __restrict distance, T* __restrict ntk) {
  const T g = step.g;
  const T q = step.q;
#pragma omp simd
  for (std::int64_t at = 0; at < pixels * lanes<T>; ++at) {
    const T u = r[at];
    const T v = s[at];
    const T near = distance[at];
    const T minus = std::max(near - (u - v) * (u - v), T(0));
    const T plus = std::max(4 * u * v - minus, T(0));
    const bool turned = Even && plus < minus;
    const auto there = angle(turned ? plus : minus, turned ? minus : plus);
    const T slope = g - q * there.th;
    const T folded = turned ? 2 * (u * u + v * v) - near : near;
    distance[at] = std::max(g * folded - 2 * q * there.segment, T(0));
    ntk[at] *= turned ? -slope : slope;
  }
}

template <class T>
STEPWISE_VECTOR_BODY void rectify_body(std::int64_t pixels, const RectifierStep<T>& step, const T* __restrict r,
                                       const T* __restrict s, T* __restrict distance, T* __restrict ntk) {
  if (step.even) {
    rectify_all<true>(pixels, step, r, s, distance, ntk);
  } else {
    rectify_all<false>(pixels, step, r, s, distance, ntk);
  }
}

template <class T>
STEPWISE_VECTOR_BODY void add_up_body(std::int64_t pixels, const T* __restrict r, const T* __restrict s,
                                      const T* __restrict distance, const T* __restrict ntk, T* __restrict sums) {
  constexpr auto width = lanes<T>;
  for (std::int64_t i = 0; i < pixels; ++i) {
#pragma omp simd
    for (std::int64_t l = 0; l < width; ++l) {
      const std::int64_t at = i * width + l;
      const T u = r[at];
      sums[l] += T(0.5) * (u * u + s[at] * s[at] - distance[at]);
      sums[width + l] += distance[at];
      sums[2 * width + l] += ntk[at];
    }
  }
}

template <class T>
STEPWISE_VECTOR_BODY void add_block_body(std::int64_t pixels, const T* __restrict r, const T* __restrict s,
                                         const T* __restrict distance, const T* __restrict ntk, T* __restrict c_sum,
                                         T* __restrict ntk_sum) {
  constexpr auto width = lanes<T>;
  for (std::int64_t i = 0; i < pixels; ++i) {
#pragma omp simd
    for (std::int64_t l = 0; l < width; ++l) {
      const std::int64_t at = i * width + l;
      const T u = r[at];
      c_sum[l] += T(0.5) * (u * u + s[at] * s[at] - distance[at]);
      ntk_sum[l] += ntk[at];
    }
  }
}

template <class T>
STEPWISE_VECTOR_BODY void from_covariances_body(std::int64_t pixels, T scale, const T* __restrict r,
                                                const T* __restrict s, const T* __restrict c,
                                                const T* __restrict ntk_in, T* __restrict distance, T* __restrict ntk) {
  // Equal signals must be at distance zero, whatever order their covariances were summed in.
  constexpr T rounding = 64 * std::numeric_limits<T>::epsilon();
#pragma omp simd
  for (std::int64_t at = 0; at < pixels * lanes<T>; ++at) {
    const T squares = r[at] * r[at] + s[at] * s[at];
    const T near = squares - 2 * scale * c[at];
    distance[at] = near > rounding * squares ? near : T(0);
    ntk[at] = scale * ntk_in[at];
  }
}

template <class T>
void activate_body(const Activation& activation, std::int64_t pixels, const T* r, const T* s, const T* r_after,
                   const T* s_after, T* distance, T* ntk) {
  constexpr auto width = lanes<T>;
  constexpr auto chunk = column_chunk / width;
  constexpr T tiny = std::numeric_limits<T>::min() * 1000;
  PairColumn<T> pairs;
  T before[column_chunk];
  T after[column_chunk];
  for (std::int64_t first = 0; first < pixels; first += chunk) {
    const std::int64_t count = std::min(chunk, pixels - first);
    const std::int64_t offset = first * width;
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t l = 0; l < width; ++l) {
        const std::int64_t k = i * width + l;
        const T u = r[offset + k];
        const T v = s[offset + k];
        before[k] = u;
        after[k] = r_after[offset + k];
        pairs.minus[k] = std::max(distance[offset + k] - (u - v) * (u - v), T(0));
        pairs.plus[k] = std::max(4 * u * v - pairs.minus[k], T(0));
        pairs.gap[k] = (u - v) * (u + v);
        pairs.ntk[k] = ntk[offset + k];
      }
    }
    activate(activation, count * width, PairLengths<T>{before, s + offset, after, s_after + offset}, pairs);
    for (std::int64_t k = 0; k < count * width; ++k) {
      const T radial = pairs.gap[k] / (after[k] + s_after[offset + k] + tiny);
      distance[offset + k] = pairs.minus[k] + radial * radial;
      ntk[offset + k] = pairs.ntk[k];
    }
  }
}

}  // namespace

STEPWISE_VECTOR_CLONES void input_distances(std::int64_t pixels, std::int64_t channels, double scale, const double* x,
                                            std::int64_t x_stride, const double* y, std::int64_t y_stride,
                                            double* distance) {
  distances_body(pixels, channels, scale, x, x_stride, y, y_stride, distance);
}
STEPWISE_VECTOR_CLONES void input_distances(std::int64_t pixels, std::int64_t channels, float scale, const float* x,
                                            std::int64_t x_stride, const float* y, std::int64_t y_stride,
                                            float* distance) {
  distances_body(pixels, channels, scale, x, x_stride, y, y_stride, distance);
}

STEPWISE_VECTOR_CLONES void add_covariance(std::int64_t pixels, double weight, double inherit, const double* r,
                                           const double* s, const double* distance, double* ntk) {
  covariance_body(pixels, weight, inherit, r, s, distance, ntk);
}
STEPWISE_VECTOR_CLONES void add_covariance(std::int64_t pixels, float weight, float inherit, const float* r,
                                           const float* s, const float* distance, float* ntk) {
  covariance_body(pixels, weight, inherit, r, s, distance, ntk);
}

STEPWISE_VECTOR_CLONES void box_sums(const Field<double>& field, std::int64_t radius, double factor, double constant,
                                     double* scratch) {
  box_body(field, radius, factor, constant, scratch);
}
STEPWISE_VECTOR_CLONES void box_sums(const Field<float>& field, std::int64_t radius, float factor, float constant,
                                     float* scratch) {
  box_body(field, radius, factor, constant, scratch);
}

STEPWISE_VECTOR_CLONES void rectify(std::int64_t pixels, const RectifierStep<double>& step, const double* r,
                                    const double* s, double* distance, double* ntk) {
  rectify_body(pixels, step, r, s, distance, ntk);
}
STEPWISE_VECTOR_CLONES void rectify(std::int64_t pixels, const RectifierStep<float>& step, const float* r,
                                    const float* s, float* distance, float* ntk) {
  rectify_body(pixels, step, r, s, distance, ntk);
}

STEPWISE_VECTOR_CLONES void add_up(std::int64_t pixels, const double* r, const double* s, const double* distance,
                                   const double* ntk, double* sums) {
  add_up_body(pixels, r, s, distance, ntk, sums);
}
STEPWISE_VECTOR_CLONES void add_up(std::int64_t pixels, const float* r, const float* s, const float* distance,
                                   const float* ntk, float* sums) {
  add_up_body(pixels, r, s, distance, ntk, sums);
}

STEPWISE_VECTOR_CLONES void add_block(std::int64_t pixels, const double* r, const double* s, const double* distance,
                                      const double* ntk, double* c_sum, double* ntk_sum) {
  add_block_body(pixels, r, s, distance, ntk, c_sum, ntk_sum);
}
STEPWISE_VECTOR_CLONES void add_block(std::int64_t pixels, const float* r, const float* s, const float* distance,
                                      const float* ntk, float* c_sum, float* ntk_sum) {
  add_block_body(pixels, r, s, distance, ntk, c_sum, ntk_sum);
}

STEPWISE_VECTOR_CLONES void from_covariances(std::int64_t pixels, double scale, const double* r, const double* s,
                                             const double* c, const double* ntk_in, double* distance, double* ntk) {
  from_covariances_body(pixels, scale, r, s, c, ntk_in, distance, ntk);
}
STEPWISE_VECTOR_CLONES void from_covariances(std::int64_t pixels, float scale, const float* r, const float* s,
                                             const float* c, const float* ntk_in, float* distance, float* ntk) {
  from_covariances_body(pixels, scale, r, s, c, ntk_in, distance, ntk);
}

void activate_pixels(const Activation& activation, std::int64_t pixels, const double* r, const double* s,
                     const double* r_after, const double* s_after, double* distance, double* ntk) {
  activate_body(activation, pixels, r, s, r_after, s_after, distance, ntk);
}
void activate_pixels(const Activation& activation, std::int64_t pixels, const float* r, const float* s,
                     const float* r_after, const float* s_after, float* distance, float* ntk) {
  activate_body(activation, pixels, r, s, r_after, s_after, distance, ntk);
}

}  // namespace stepwise
