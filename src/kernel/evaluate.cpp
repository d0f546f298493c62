#include "stepwise/kernel/evaluate.hpp"

#include <algorithm>
#include <cmath>

#include "kernel/columns.hpp"
#include "kernel/composite.hpp"
#include "kernel/image_network.hpp"
#include "kernel/layerwise.hpp"
#include "kernel/network_column.hpp"
#include "kernel/precomputed.hpp"
#include "stepwise/core/index.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/kernel/tile_shape.hpp"

namespace stepwise {
namespace {

/// Below this fraction of the lengths, a distance taken from inner products has lost too many digits.
constexpr double too_close = 0.01;

template <class T>
void inner_products(const BasicSamples<T>& x, Range rows, const BasicSamples<T>& y, Range cols, MatrixView<T> out) {
  const std::int64_t m = x.features;
  const MatrixView<const T> left{x.sample(rows.begin), m, out.rows, m};
  const MatrixView<const T> right{y.sample(cols.begin), m, out.cols, m};
  gemm(T{1}, Transpose::yes, left, Transpose::no, right, T{0}, out);
}

/// |x - sign y|^2 and |x|^2 - |y|^2 from the differences themselves.
struct Closeness {
  double distance = 0;
  double gap = 0;
};

template <class T>
Closeness closeness(const T* x, const T* y, std::int64_t m, double sign) {
  Closeness sums;
  for (std::int64_t k = 0; k < m; ++k) {
    const double a = x[k];
    const double b = sign * y[k];
    sums.distance += (a - b) * (a - b);
    sums.gap += (a - b) * (a + b);
  }
  return sums;
}

/// | x/|x| - sign y/|y| |^2 in extended precision: for collinear pairs of different length, where the radial part of x
/// - y hides the angle.
template <class T>
double direction_distance(const T* x, const T* y, std::int64_t m, double sign) {
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
template <class T>
double small_chord(const T* x, const T* y, std::int64_t m, double sign, double product, double length_sum,
                   const Closeness& close) {
  const double radial = close.gap / length_sum;
  const double chord = close.distance - radial * radial;
  if (chord > 0.1 * close.distance) return chord;
  return direction_distance(x, y, m, sign) * product;
}

template <class T>
struct Evaluate {
  const BasicSamples<T>& x;
  Range rows;
  const BasicSamples<T>& y;
  Range cols;
  MatrixView<T> out;

  [[nodiscard]] T xx(std::int64_t i) const { return x.squared_norms[static_cast<std::size_t>(rows.begin + i)]; }
  [[nodiscard]] T yy(std::int64_t j) const { return y.squared_norms[static_cast<std::size_t>(cols.begin + j)]; }

  void operator()(const CompositeKernel auto&) const {}  // never here: evaluate_composite

  void operator()(const LinearKernel&) const {}
  void operator()(const LayerwiseKernel& k) const { evaluate_layerwise(k, x, rows, y, cols, out); }
  void operator()(const PrecomputedKernel&) const {}  // see evaluate_in

  void operator()(const PolynomialKernel& k) const {
    const T factor = 1 / static_cast<T>(x.features);
    const auto offset = static_cast<T>(k.offset);
    for (std::int64_t j = 0; j < out.cols; ++j) {
      T* column = out.column(j);
      for (std::int64_t i = 0; i < out.rows; ++i) {
        const T base = column[i] * factor + offset;
        T power = base;
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

  void operator()(const Network& k) const {
    const Signals<T> row_signals(k.layers, variances(x, rows));
    const Signals<T> col_signals(k.layers, variances(y, cols));
    const T scale = 1 / static_cast<T>(x.features);
    constexpr auto nearby = static_cast<T>(too_close);
    PairColumn<T> pairs;
    for (std::int64_t j = 0; j < out.cols; ++j) {
      const T* other = y.sample(cols.begin + j);
      const T v = col_signals.before(0)[j];
      for (std::int64_t first = 0; first < out.rows; first += column_chunk) {
        const std::int64_t count = std::min(column_chunk, out.rows - first);
        T* column = out.column(j) + first;
        const T* u = row_signals.before(0) + first;
        for (std::int64_t i = 0; i < count; ++i) {
          const T c = column[i] * scale;
          pairs.minus[i] = std::max(2 * (u[i] * v - c), T{0});
          pairs.plus[i] = std::max(2 * (u[i] * v + c), T{0});
          pairs.gap[i] = (xx(first + i) - yy(j)) * scale;
          pairs.ntk[i] = 0;
        }
        for (std::int64_t i = 0; i < count; ++i) {
          const T product = u[i] * v;
          if (product > 0 && std::min(pairs.minus[i], pairs.plus[i]) < nearby * product) {
            refine(x.sample(rows.begin + first + i), other, u[i], v, i, pairs);
          }
        }
        network_column<T>(k.layers, k.which, row_signals, first, count, col_signals, j, pairs, column);
      }
    }
  }

  /// |x|^2 / m.
  static std::vector<double> variances(const BasicSamples<T>& samples, Range range) {
    std::vector<double> result;
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      result.push_back(static_cast<double>(samples.squared_norms[static_cast<std::size_t>(i)]) /
                       static_cast<double>(samples.features));
    }
    return result;
  }

  /// Recomputes entry i of `pairs`, a nearly parallel or nearly antipodal pair of lengths u and v.
  void refine(const T* a, const T* b, double u, double v, std::int64_t i, PairColumn<T>& pairs) const {
    const double scale = 1 / static_cast<double>(x.features);
    const double sign = pairs.minus[i] < pairs.plus[i] ? 1 : -1;
    Closeness close = closeness(a, b, x.features, sign);
    close.distance *= scale;
    close.gap *= scale;
    const double chord = small_chord(a, b, x.features, sign, u * v, u + v, close);
    (sign > 0 ? pairs.minus : pairs.plus)[i] = static_cast<T>(chord);
    (sign > 0 ? pairs.plus : pairs.minus)[i] = static_cast<T>(4 * u * v - chord);
    pairs.gap[i] = static_cast<T>(close.gap);
  }

  void squared_distances() const {
    constexpr auto nearby = static_cast<T>(too_close);
    for (std::int64_t j = 0; j < out.cols; ++j) {
      T* column = out.column(j);
      for (std::int64_t i = 0; i < out.rows; ++i) {
        const T lengths = xx(i) + yy(j);
        column[i] = lengths - 2 * column[i];
        if (column[i] < nearby * lengths) {
          column[i] =
              static_cast<T>(closeness(x.sample(rows.begin + i), y.sample(cols.begin + j), x.features, 1).distance);
        }
      }
    }
  }
};

template <class T>
void evaluate_in(const Kernel& kernel, const BasicSamples<T>& x, Range rows, const BasicSamples<T>& y, Range cols,
                 MatrixView<T> out) {
  if (const auto* network = std::get_if<Network>(&kernel); network != nullptr && has_image_layers(*network)) {
    return evaluate_images(*network, x, rows, y, cols, out);
  }
  if (evaluate_composite(kernel, x, rows, y, cols, out)) return;
  if (const auto* stored = std::get_if<PrecomputedKernel>(&kernel)) {
    look_up<T>(*stored, {x.sample(rows.begin), static_cast<std::size_t>(out.rows)},
               {y.sample(cols.begin), static_cast<std::size_t>(out.cols)}, out);
    return;
  }
  if (!std::holds_alternative<LayerwiseKernel>(kernel)) inner_products(x, rows, y, cols, out);
  std::visit(Evaluate<T>{x, rows, y, cols, out}, kernel);
}

}  // namespace

void evaluate(const Kernel& kernel, const Samples& x, Range rows, const Samples& y, Range cols,
              MatrixView<double> out) {
  evaluate_in(kernel, x, rows, y, cols, out);
}

void evaluate(const Kernel& kernel, const SingleSamples& x, Range rows, const SingleSamples& y, Range cols,
              MatrixView<float> out) {
  evaluate_in(kernel, x, rows, y, cols, out);
}

template <class T>
std::vector<T> diagonal(const Kernel& kernel, const BasicSamples<T>& x, Range range) {
  if (const auto* network = std::get_if<Network>(&kernel); network != nullptr && has_image_layers(*network)) {
    return image_diagonal(*network, x, range);
  }
  std::vector<T> result(static_cast<std::size_t>(range.size()));
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    evaluate(kernel, x, {i, i + 1}, x, {i, i + 1}, {&result[static_cast<std::size_t>(i - range.begin)], 1, 1, 1});
  }
  return result;
}

template std::vector<double> diagonal(const Kernel&, const Samples&, Range);
template std::vector<float> diagonal(const Kernel&, const SingleSamples&, Range);

void evaluate_threaded(const Kernel& kernel, const Samples& x, Range rows, const Samples& y, Range cols,
                       MatrixView<double> out) {
  // Strips of few columns, so that there are some for every thread.
  constexpr std::int64_t strip = 64;
  const std::int64_t tile_rows = tile_shape(kernel).rows;
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (std::int64_t j = 0; j < cols.size(); j += strip) {
    for (std::int64_t i = 0; i < rows.size(); i += tile_rows) {
      const std::int64_t m = std::min(tile_rows, rows.size() - i);
      const std::int64_t n = std::min(strip, cols.size() - j);
      evaluate(kernel, x, {rows.begin + i, rows.begin + i + m}, y, {cols.begin + j, cols.begin + j + n},
               out.block(i, j, m, n));
    }
  }
}

}  // namespace stepwise
