#include "stepwise/sim/correlation_loss.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "stepwise/dist/gemm.hpp"
#include "stepwise/dist/lapack.hpp"

namespace stepwise {
namespace {

/// l and its derivative at one eigenvalue.
struct Shape {
  double value;
  double slope;
};

Shape sharpened(double l) {
  constexpr double delta = std::numeric_limits<double>::epsilon();
  const double square = l * l + delta * delta;
  const double root = std::sqrt(std::sqrt(square));
  const double gap = 1 - l / root;
  return {gap * gap, -2 * gap * (l * l / 2 + delta * delta) / (square * root)};
}

Shape smoothed(double l, double epsilon) {
  const double gap = 1 - l;
  const double factor = l > 1 ? epsilon * epsilon : 1;
  return {factor * gap * gap, -2 * factor * gap};
}

/// ||C - I||^2, or tr (C - I)^4, without eigenvectors.
LossOfC polynomial(MatrixView<const double> c, bool quartic) {
  const std::int64_t d = c.rows;
  const auto size = static_cast<std::size_t>(d * d);
  const auto norm2 = [](const std::vector<double>& a) {
    double total = 0;
    for (const double x : a) total += x * x;
    return total;
  };
  std::vector<double> e(size);
  for (std::int64_t j = 0; j < d; ++j) {
    for (std::int64_t i = 0; i < d; ++i) e[static_cast<std::size_t>(i + j * d)] = c(i, j) - (i == j ? 1 : 0);
  }
  if (!quartic) {
    LossOfC result{norm2(e), std::move(e)};
    for (double& x : result.gradient) x *= 2;
    return result;
  }
  std::vector<double> square(size);
  LossOfC result{0, std::vector<double>(size)};
  const MatrixView<const double> e_view{e.data(), d, d, d};
  gemm(1, Transpose::no, e_view, Transpose::no, e_view, 0, {square.data(), d, d, d});
  gemm(4, Transpose::no, e_view, Transpose::no, {square.data(), d, d, d}, 0, {result.gradient.data(), d, d, d});
  result.loss = norm2(square);
  return result;
}

/// NaN in, NaN out: LAPACK may not return from NaN, and a loss that is not a number is the caller's to see.
SymmetricEigenpairs eigenpairs(MatrixView<const double> c, bool vectors) {
  for (std::int64_t j = 0; j < c.cols; ++j) {
    if (std::all_of(c.column(j), c.column(j) + c.rows, [](double x) { return std::isfinite(x); })) continue;
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const auto d = static_cast<std::size_t>(c.rows);
    return {std::vector<double>(d, nan), std::vector<double>(vectors ? d * d : 0, nan)};
  }
  return symmetric_eigenpairs(c, vectors);
}

LossOfC spectral(const CorrelationLoss& loss, MatrixView<const double> c) {
  const std::int64_t d = c.rows;
  const SymmetricEigenpairs eigen = eigenpairs(c, true);
  LossOfC result{0, std::vector<double>(static_cast<std::size_t>(d * d))};
  std::vector<double> scaled = eigen.vectors;
  for (std::int64_t j = 0; j < d; ++j) {
    const double l = eigen.values[static_cast<std::size_t>(j)];
    const Shape shape = loss.shaping == Shaping::sharpened ? sharpened(l) : smoothed(l, loss.epsilon);
    result.loss += shape.value;
    for (std::int64_t i = 0; i < d; ++i) scaled[static_cast<std::size_t>(i + j * d)] *= shape.slope;
  }
  gemm(1, Transpose::no, {scaled.data(), d, d, d}, Transpose::yes, {eigen.vectors.data(), d, d, d}, 0,
       {result.gradient.data(), d, d, d});
  return result;
}

}  // namespace

LossOfC evaluate(const CorrelationLoss& loss, MatrixView<const double> c) {
  if (loss.shaping == Shaping::plain) return polynomial(c, false);
  if (loss.shaping == Shaping::quartic) return polynomial(c, true);
  return spectral(loss, c);
}

std::vector<double> spectrum(MatrixView<const double> c) {
  std::vector<double> values = eigenpairs(c, false).values;
  std::reverse(values.begin(), values.end());
  return values;
}

}  // namespace stepwise
