#include "kernel/columns.hpp"

#include <cmath>

#include "kernel/vector_clones.hpp"

namespace stepwise {
namespace {

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

}  // namespace stepwise
