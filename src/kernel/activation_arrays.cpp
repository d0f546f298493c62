#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

#include "kernel/vector_clones.hpp"
#include "stepwise/kernel/activation.hpp"

namespace stepwise {
namespace {

/// Numbers handled by one thread at a time.
constexpr std::int64_t chunk = 4096;

STEPWISE_VECTOR_CLONES void rectifier(double slope, std::int64_t n, double* __restrict z, double* __restrict slopes) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    const double factor = z[i] > 0 ? 1 : slope;
    slopes[i] = factor;
    z[i] *= factor;
  }
}

STEPWISE_VECTOR_CLONES void tangent(std::int64_t n, double* __restrict z, double* __restrict slopes) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    // 1 - tanh^2 cancels far out; e / (1 + e)^2 with e = exp(-2|z|) does not.
    const double e = std::exp(-2 * std::abs(z[i]));
    slopes[i] = 4 * e / ((1 + e) * (1 + e));
    z[i] = std::tanh(z[i]);
  }
}

STEPWISE_VECTOR_CLONES void error_function(std::int64_t n, double* __restrict z, double* __restrict slopes) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    slopes[i] = 2 * std::numbers::inv_sqrtpi * std::exp(-z[i] * z[i]);
    z[i] = std::erf(z[i]);
  }
}

STEPWISE_VECTOR_CLONES void gelu(std::int64_t n, double* __restrict z, double* __restrict slopes) {
  constexpr double root_half = 0.5 * std::numbers::sqrt2;
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = z[i];
    const double below = 0.5 * std::erfc(-root_half * x);
    slopes[i] = below + x * root_half * std::numbers::inv_sqrtpi * std::exp(-0.5 * x * x);
    z[i] = x * below;
  }
}

struct Activate {
  std::int64_t count;
  double* z;
  double* slopes;

  void operator()(const Rectifier& f) const { rectifier(f.negative_slope, count, z, slopes); }
  void operator()(const ErrorFunction&) const { error_function(count, z, slopes); }
  void operator()(const Gelu&) const { gelu(count, z, slopes); }
  void operator()(const ScalarActivation& f) const {
    if (std::string_view(f.name) == "tanh") return tangent(count, z, slopes);
    one_by_one(f);
  }
  template <class Other>
  void operator()(const Other& f) const {
    one_by_one(f);
  }

 private:
  void one_by_one(const Activation& f) const {
    for (std::int64_t i = 0; i < count; ++i) {
      slopes[i] = derivative(f, z[i]);
      z[i] = value(f, z[i]);
    }
  }
};

}  // namespace

void activate(const Activation& activation, std::span<double> z, std::span<double> slopes) {
  const auto n = static_cast<std::int64_t>(z.size());
#pragma omp parallel for
  for (std::int64_t begin = 0; begin < n; begin += chunk) {
    std::visit(Activate{std::min(chunk, n - begin), z.data() + begin, slopes.data() + begin}, activation);
  }
}

}  // namespace stepwise
