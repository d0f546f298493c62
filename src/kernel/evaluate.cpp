#include "stepwise/kernel/evaluate.hpp"

#include <algorithm>
#include <cmath>

#include "kernel/columns.hpp"
#include "stepwise/core/index.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

/// Below this fraction of the lengths, a distance taken from inner products has lost too many digits.
constexpr double too_close = 0.01;

void inner_products(const Samples& x, Range rows, const Samples& y, Range cols, MatrixView<double> out) {
  const std::int64_t m = x.features;
  gemm(1, Transpose::yes, {x.sample(rows.begin), m, out.rows, m}, Transpose::no, {y.sample(cols.begin), m, out.cols, m},
       0, out);
}

/// |x - sign y|^2 and |x|^2 - |y|^2 from the differences themselves.
struct Closeness {
  double distance = 0;
  double gap = 0;
};

Closeness closeness(const double* x, const double* y, std::int64_t m, double sign) {
  Closeness sums;
  for (std::int64_t k = 0; k < m; ++k) {
    const double difference = x[k] - sign * y[k];
    sums.distance += difference * difference;
    sums.gap += difference * (x[k] + sign * y[k]);
  }
  return sums;
}

/// | x/|x| - sign y/|y| |^2 in extended precision: for collinear pairs of different length, where the radial part of x
/// - y hides the angle.
double direction_distance(const double* x, const double* y, std::int64_t m, double sign) {
  long double xx = 0;
  long double yy = 0;
  for (std::int64_t k = 0; k < m; ++k) {
    xx += static_cast<long double>(x[k]) * static_cast<long double>(x[k]);
    yy += static_cast<long double>(y[k]) * static_cast<long double>(y[k]);
  }
  const long double fx = 1 / std::sqrt(xx);
  const long double fy = static_cast<long double>(sign) / std::sqrt(yy);
  long double square = 0;
  for (std::int64_t k = 0; k < m; ++k) {
    const long double difference = static_cast<long double>(x[k]) * fx - static_cast<long double>(y[k]) * fy;
    square += difference * difference;
  }
  return static_cast<double>(square);
}

/// 2 (|x||y| - sign x.y) accurately, for pairs where it is small; `product` is |x||y|.
double small_chord(const double* x, const double* y, std::int64_t m, double sign, double product, double length_sum,
                   const Closeness& close) {
  const double radial = close.gap / length_sum;
  const double chord = close.distance - radial * radial;
  if (chord > 0.1 * close.distance) return chord;
  return direction_distance(x, y, m, sign) * product;
}

struct Evaluate {
  const Samples& x;
  Range rows;
  const Samples& y;
  Range cols;
  MatrixView<double> out;

  [[nodiscard]] double xx(std::int64_t i) const { return x.squared_norms[static_cast<std::size_t>(rows.begin + i)]; }
  [[nodiscard]] double yy(std::int64_t j) const { return y.squared_norms[static_cast<std::size_t>(cols.begin + j)]; }

  void operator()(const LinearKernel&) const {}

  void operator()(const PolynomialKernel& k) const {
    const double factor = 1 / static_cast<double>(x.features);
    for (std::int64_t j = 0; j < out.cols; ++j) {
      double* column = out.column(j);
      for (std::int64_t i = 0; i < out.rows; ++i) {
        const double base = column[i] * factor + k.offset;
        double power = base;
        for (std::int64_t d = 1; d < k.degree; ++d) power *= base;
        column[i] = power;
      }
    }
  }

  void operator()(const RbfKernel& k) const {
    squared_distances();
    for (std::int64_t j = 0; j < out.cols; ++j) gaussian_column(out.rows, k.length_scale, out.column(j));
  }

  void operator()(const LaplaceKernel& k) const {
    squared_distances();
    for (std::int64_t j = 0; j < out.cols; ++j) laplace_column(out.rows, k.length_scale, out.column(j));
  }

  void operator()(const ReluNetwork& k) const {
    const SignalLengths row_lengths(k, x.squared_norms.data() + rows.begin, out.rows, x.features);
    const SignalLengths col_lengths(k, y.squared_norms.data() + cols.begin, out.cols, y.features);
    const double scale = 1 / static_cast<double>(x.features);
    PairColumn pairs;
    for (std::int64_t j = 0; j < out.cols; ++j) {
      const double* other = y.sample(cols.begin + j);
      const double v = col_lengths.input()[j];
      for (std::int64_t first = 0; first < out.rows; first += column_chunk) {
        const std::int64_t count = std::min(column_chunk, out.rows - first);
        double* column = out.column(j) + first;
        const double* u = row_lengths.input() + first;
        for (std::int64_t i = 0; i < count; ++i) {
          const double c = column[i] * scale;
          pairs.minus[i] = std::max(2 * (u[i] * v - c), 0.0);
          pairs.plus[i] = std::max(2 * (u[i] * v + c), 0.0);
          pairs.gap[i] = (xx(first + i) - yy(j)) * scale;
        }
        for (std::int64_t i = 0; i < count; ++i) {
          const double product = u[i] * v;
          if (product > 0 && std::min(pairs.minus[i], pairs.plus[i]) < too_close * product) {
            refine(x.sample(rows.begin + first + i), other, u[i], v, i, pairs);
          }
        }
        relu_network_column(k, row_lengths, first, count, col_lengths, j, pairs, column);
      }
    }
  }

  /// Recomputes entry i of `pairs`, a nearly parallel or nearly antipodal pair of lengths u and v.
  void refine(const double* a, const double* b, double u, double v, std::int64_t i, PairColumn& pairs) const {
    const double scale = 1 / static_cast<double>(x.features);
    const double sign = pairs.minus[i] < pairs.plus[i] ? 1 : -1;
    Closeness close = closeness(a, b, x.features, sign);
    close.distance *= scale;
    close.gap *= scale;
    const double chord = small_chord(a, b, x.features, sign, u * v, u + v, close);
    (sign > 0 ? pairs.minus : pairs.plus)[i] = chord;
    (sign > 0 ? pairs.plus : pairs.minus)[i] = 4 * u * v - chord;
    pairs.gap[i] = close.gap;
  }

  void squared_distances() const {
    for (std::int64_t j = 0; j < out.cols; ++j) {
      double* column = out.column(j);
      for (std::int64_t i = 0; i < out.rows; ++i) {
        const double lengths = xx(i) + yy(j);
        column[i] = lengths - 2 * column[i];
        if (column[i] < too_close * lengths) {
          column[i] = closeness(x.sample(rows.begin + i), y.sample(cols.begin + j), x.features, 1).distance;
        }
      }
    }
  }
};

}  // namespace

void evaluate(const Kernel& kernel, const Samples& x, Range rows, const Samples& y, Range cols,
              MatrixView<double> out) {
  inner_products(x, rows, y, cols, out);
  std::visit(Evaluate{x, rows, y, cols, out}, kernel);
}

}  // namespace stepwise
