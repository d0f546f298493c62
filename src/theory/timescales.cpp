#include "stepwise/theory/timescales.hpp"

#include <algorithm>
#include <cmath>

namespace stepwise {

std::vector<double> small_random_initialisation(double alpha, std::int64_t modes) {
  std::vector<double> s0;
  for (std::int64_t j = 1; j <= modes; ++j) s0.push_back(alpha * std::sqrt(static_cast<double>(modes - j + 1)));
  return s0;
}

double singular_value(double gamma, double s0, double t) {
  const double x = 8 * gamma * t;
  if (gamma > 0) {
    const double decay = std::exp(-x);
    return 1 / std::sqrt(-gamma * std::expm1(-x) + decay / (s0 * s0));
  }
  return std::sqrt(std::exp(x) / (1 / (s0 * s0) + gamma * std::expm1(x)));
}

double lambda(double gamma, double s0, double t) {
  const double s = singular_value(gamma, s0, t);
  return gamma * s * s;
}

double timescale(double gamma, double s0) {
  return -(2 * std::log(s0) + std::log(gamma)) / (8 * gamma);
}

double half_rise(double gamma, double s0) {
  const double start = gamma * s0 * s0;
  return std::log((1 - start) / start) / (8 * gamma);
}

std::vector<double> time_grid(std::span<const double> gamma, std::span<const double> s0, std::int64_t points,
                              double t_max) {
  // A mode that starts learned has no positive timescale; its decay to one still takes 1 / (8 gamma).
  double first = std::max(timescale(gamma.front(), s0.front()), 1 / (8 * gamma.front()));
  double last = 0;
  for (std::size_t j = 0; j < gamma.size(); ++j) {
    const double tau = std::max(timescale(gamma[j], s0[j]), 1 / (8 * gamma[j]));
    first = std::min(first, tau);
    last = std::max(last, tau);
  }
  if (t_max <= 0) t_max = 3 * last;
  const double t_min = std::min(first, t_max) / 100;
  std::vector<double> time{0};
  for (std::int64_t i = 0; i + 1 < points; ++i) {
    const double fraction = points > 2 ? static_cast<double>(i) / static_cast<double>(points - 2) : 1;
    time.push_back(fraction == 1 ? t_max : t_min * std::pow(t_max / t_min, fraction));
  }
  return time;
}

Trajectory trajectory(std::span<const double> gamma, std::span<const double> s0, std::vector<double> time) {
  Trajectory result{std::move(time), {}, {}};
  for (const double t : result.time) {
    double loss = 0;
    for (std::size_t j = 0; j < gamma.size(); ++j) {
      const double value = lambda(gamma[j], s0[j], t);
      result.lambda.push_back(value);
      loss += (1 - value) * (1 - value);
    }
    result.loss.push_back(loss);
  }
  return result;
}

std::int64_t modes_left(std::span<const double> tau, double t) {
  return std::count_if(tau.begin(), tau.end(), [t](double x) { return x > t; });
}

double rkhs_norm_squared(std::span<const double> gamma) {
  double total = 0;
  for (const double g : gamma) total += 1 / g;
  return total;
}

}  // namespace stepwise
