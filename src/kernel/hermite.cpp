#include "kernel/hermite.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "stepwise/core/error.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t first_terms = 32;
constexpr std::int64_t most_terms = 2048;
/// Where the square root of the density of N(0, 1) has fallen below rounding.
constexpr double reach = 13;

/// Points and weights of the trapezoidal rule. For analytic functions it converges exponentially, as Gauss-Hermite
/// quadrature does, but spends no points where the density vanishes.
struct Rule {
  std::int64_t points = 0;
  std::vector<double> z;
  std::vector<double> polynomials;  ///< terms x points: step w(z) He_k(z) / sqrt(k!)
};

Rule make_rule(std::int64_t terms) {
  Rule rule;
  // Dense enough for the waves of the last polynomial, sqrt(k) radians a unit, and the function's own.
  rule.points = std::max<std::int64_t>(512, static_cast<std::int64_t>(32 * std::sqrt(terms))) + 1;
  const double step = 2 * reach / static_cast<double>(rule.points - 1);
  rule.polynomials.resize(static_cast<std::size_t>(terms * rule.points));
  for (std::int64_t q = 0; q < rule.points; ++q) {
    const double z = -reach + static_cast<double>(q) * step;
    rule.z.push_back(z);
    double* column = rule.polynomials.data() + q * terms;
    // Hermite functions sqrt(w) He_k / sqrt(k!) do not overflow; the other sqrt(w) comes after.
    const double root = std::exp(-0.25 * z * z) / std::pow(2 * std::numbers::pi, 0.25);
    column[0] = root;
    if (terms > 1) column[1] = z * root;
    for (std::int64_t k = 2; k < terms; ++k) {
      const auto order = static_cast<double>(k);
      column[k] = (z * column[k - 1] - std::sqrt(order - 1) * column[k - 2]) / std::sqrt(order);
    }
    for (std::int64_t k = 0; k < terms; ++k) column[k] *= step * root;
  }
  return rule;
}

/// count x terms, column-major: coefficients of f(sqrt(a) z).
std::vector<double> coefficients(double (*f)(double), const Rule& rule, std::int64_t terms,
                                 const std::vector<double>& variances) {
  const auto count = std::ssize(variances);
  std::vector<double> samples(static_cast<std::size_t>(rule.points * count));
  for (std::int64_t i = 0; i < count; ++i) {
    const double deviation = std::sqrt(variances[static_cast<std::size_t>(i)]);
    for (std::int64_t q = 0; q < rule.points; ++q) {
      samples[static_cast<std::size_t>(q + i * rule.points)] = f(deviation * rule.z[static_cast<std::size_t>(q)]);
    }
  }
  std::vector<double> table(static_cast<std::size_t>(count * terms));
  gemm(1.0, Transpose::yes, {samples.data(), rule.points, count, rule.points}, Transpose::yes,
       {rule.polynomials.data(), terms, rule.points, terms}, 0.0, {table.data(), count, terms, count});
  return table;
}

/// Whether the last terms no longer count in sum_k h_k(a) h_k(b) for the only sample of the table.
bool converged(const std::vector<double>& table) {
  constexpr std::int64_t tail = 8;
  constexpr double negligible = 1e-15;
  double last = 0;
  double sum = 0;
  for (std::int64_t k = 0; k < std::ssize(table); ++k) {
    const double square = table[static_cast<std::size_t>(k)] * table[static_cast<std::size_t>(k)];
    sum += square;
    if (k >= std::ssize(table) - tail) last += square;
  }
  return last <= negligible * sum;
}

}  // namespace

template <class T>
HermiteTable<T> hermite_table(const ScalarActivation& activation, const std::vector<double>& variances) {
  const double largest = variances.empty() ? 0 : *std::max_element(variances.begin(), variances.end());
  std::int64_t terms = first_terms;
  Rule rule = make_rule(terms);
  while (!converged(coefficients(activation.function, rule, terms, {largest})) ||
         !converged(coefficients(activation.derivative, rule, terms, {largest}))) {
    terms *= 2;
    if (terms > most_terms) {
      fail(ExitCode::input,
           "activation {}: its quadrature does not converge for signals of variance {:.4g}; use smaller weight "
           "variances, or standardised data",
           activation.name, largest);
    }
    rule = make_rule(terms);
  }
  const auto values = coefficients(activation.function, rule, terms, variances);
  const auto derivatives = coefficients(activation.derivative, rule, terms, variances);
  return {terms, std::ssize(variances), {values.begin(), values.end()}, {derivatives.begin(), derivatives.end()}};
}

template HermiteTable<double> hermite_table(const ScalarActivation&, const std::vector<double>&);
template HermiteTable<float> hermite_table(const ScalarActivation&, const std::vector<double>&);

}  // namespace stepwise
