#include <algorithm>
#include <cmath>

#include "kernel/activation_columns.hpp"
#include "kernel/vector_pair.hpp"

namespace stepwise {
namespace {

// Hermite series: |phi(u) - phi(v)|^2 = sum_k (h_k(a) - h_k(b))^2 + 2 (1 - rho) sum_j rho^j sum_{k > j} h_k(a) h_k(b).

template <class T>
struct Series {
  const T* value;       ///< h_k of the chunk's first row; the next k is `stride` further on
  const T* derivative;  ///< of phi'
  std::int64_t stride;
  const T* col_value;       ///< of the column
  const T* col_derivative;  ///< the same
  std::int64_t col_stride;
  std::int64_t terms;      ///< of the rows
  std::int64_t col_terms;  ///< of the column; what lies beyond is negligible, but not its own square
};

template <class T>
STEPWISE_VECTOR_BODY void series_body(std::int64_t count, const Series<T>& series, const PairLengths<T>& lengths,
                                      PairColumn<T>& pairs) {
  T rest[column_chunk];  // 1 - rho
  T rho[column_chunk];
  T slope[column_chunk] = {};
  T suffix[column_chunk] = {};
  T chord[column_chunk] = {};
  T distance[column_chunk] = {};
  T gap[column_chunk] = {};
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const T product = 2 * lengths.r[i] * lengths.s[i];
    rest[i] = product > 0 ? pairs.minus[i] / product : T(1);
    rho[i] = 1 - rest[i];
  }
  const T zeros[column_chunk] = {};
  for (std::int64_t k = std::max(series.terms, series.col_terms) - 1; k >= 0; --k) {
    const bool in_rows = k < series.terms;
    const bool in_col = k < series.col_terms;
    const T* __restrict value = in_rows ? series.value + k * series.stride : zeros;
    const T* __restrict derivative = in_rows ? series.derivative + k * series.stride : zeros;
    const T other = in_col ? series.col_value[k * series.col_stride] : 0;
    const T other_derivative = in_col ? series.col_derivative[k * series.col_stride] : 0;
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) {
      const T difference = value[i] - other;
      slope[i] = slope[i] * rho[i] + derivative[i] * other_derivative;
      chord[i] = chord[i] * rho[i] + suffix[i];
      suffix[i] += value[i] * other;
      distance[i] += difference * difference;
      gap[i] += difference * (value[i] + other);
    }
  }
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    pairs.minus[i] = distance[i];
    pairs.plus[i] = 2 * rest[i] * chord[i];
    pairs.gap[i] = gap[i];
    pairs.ntk[i] *= slope[i];
  }
}

/// Leaves sum (h_k(a) - h_k(b))^2 in minus, the rest of the distance in plus.
STEPWISE_VECTOR_CLONES void series_column(std::int64_t n, const Series<double>& series,
                                          const PairLengths<double>& lengths, PairColumn<double>& pairs) {
  series_body(n, series, lengths, pairs);
}
STEPWISE_VECTOR_CLONES void series_column(std::int64_t n, const Series<float>& series,
                                          const PairLengths<float>& lengths, PairColumn<float>& pairs) {
  series_body(n, series, lengths, pairs);
}

/// h_k, dh_k/da and d^2 h_k/da^2 for k = 0, 1, ... from the coefficients alone:
/// 2 a dh_k/da = k h_k + sqrt((k+1)(k+2)) h_{k+2}.
class Derivatives {
 public:
  template <class T>
  Derivatives(const T* value, std::int64_t stride, std::int64_t terms, double a) : a_(a) {
    for (std::int64_t k = 0; k < 4; ++k) next_[k] = k < terms ? static_cast<double>(value[k * stride]) : 0;
  }
  template <class T>
  void step(std::int64_t k, const T* value, std::int64_t stride, std::int64_t terms) {
    const double first_here = slope(k, next_[0], next_[2]);
    const double first_on = slope(k + 2, next_[2], k + 4 < terms ? static_cast<double>(value[(k + 4) * stride]) : 0);
    first = first_here;
    second = -first_here / a_ + slope(k, first_here, first_on);
    next_[0] = next_[1];
    next_[1] = next_[2];
    next_[2] = next_[3];
    next_[3] = k + 4 < terms ? static_cast<double>(value[(k + 4) * stride]) : 0;
  }
  double first = 0;
  double second = 0;

 private:
  [[nodiscard]] double slope(std::int64_t k, double h, double h_on) const {
    const auto order = static_cast<double>(k);
    return (order * h + std::sqrt((order + 1) * (order + 2)) * h_on) / (2 * a_);
  }
  double a_;
  double next_[4] = {};
};

template <class T>
void series_activate(const HermiteTable<T>& rows, std::int64_t first, const HermiteTable<T>& cols, std::int64_t col,
                     std::int64_t count, const PairLengths<T>& lengths, PairColumn<T>& pairs) {
  constexpr double close = 1e-3;
  T gap[column_chunk];
  std::copy_n(pairs.gap, count, gap);
  const Series<T> series{rows.values(0) + first,
                         rows.derivatives(0) + first,
                         rows.count,
                         cols.values(0) + col,
                         cols.derivatives(0) + col,
                         cols.count,
                         rows.terms,
                         cols.terms};
  series_column(count, series, lengths, pairs);
  for (std::int64_t i = 0; i < count; ++i) {
    const double a = static_cast<double>(lengths.r[i]) * lengths.r[i];
    const double b = static_cast<double>(lengths.s[i]) * lengths.s[i];
    double radial = pairs.minus[i];
    double after_gap = pairs.gap[i];
    const double change = gap[i];
    if (a * b > 0 && std::abs(change) < close * std::min(a, b)) {
      // h_k(a) - h_k(b) would cancel: by its derivatives instead, with an error of (a - b)^5 / 720.
      Derivatives at_a(series.value + i, series.stride, series.terms, a);
      Derivatives at_b(series.col_value, series.col_stride, series.col_terms, b);
      radial = 0;
      after_gap = 0;
      for (std::int64_t k = 0; k < std::min(series.terms, series.col_terms); ++k) {
        at_a.step(k, series.value + i, series.stride, series.terms);
        at_b.step(k, series.col_value, series.col_stride, series.col_terms);
        const double difference =
            change / 2 * (at_a.first + at_b.first) - change * change / 12 * (at_a.second - at_b.second);
        radial += difference * difference;
        after_gap += difference * (static_cast<double>(series.value[i + k * series.stride]) +
                                   static_cast<double>(series.col_value[k * series.col_stride]));
      }
    }
    const Pair<double> p =
        from_distance<double>(radial + pairs.plus[i], after_gap, lengths.r_after[i], lengths.s_after[i], 1);
    pairs.minus[i] = static_cast<T>(p.minus);
    pairs.plus[i] = static_cast<T>(p.plus);
    pairs.gap[i] = static_cast<T>(p.gap);
  }
}

}  // namespace

void activate(const HermiteTable<double>& rows, std::int64_t first, const HermiteTable<double>& cols, std::int64_t col,
              std::int64_t count, const PairLengths<double>& lengths, PairColumn<double>& pairs) {
  series_activate(rows, first, cols, col, count, lengths, pairs);
}

void activate(const HermiteTable<float>& rows, std::int64_t first, const HermiteTable<float>& cols, std::int64_t col,
              std::int64_t count, const PairLengths<float>& lengths, PairColumn<float>& pairs) {
  series_activate(rows, first, cols, col, count, lengths, pairs);
}

}  // namespace stepwise
