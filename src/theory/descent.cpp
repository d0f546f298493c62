#include "stepwise/theory/descent.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "stepwise/core/stop.hpp"

namespace stepwise {

std::vector<double> descended_singular_values(double gamma, double s0, double rate, std::span<const std::int64_t> steps,
                                              double momentum) {
  constexpr std::int64_t turn = 1 << 16;  // steps between looks at whether to stop
  std::vector<double> values;
  double s = s0;
  double v = 0;
  std::int64_t done = 0;
  for (const std::int64_t step : steps) {
    while (done < step && !stop_requested()) {
      const std::int64_t end = std::min(step, done + turn);
      for (; done < end; ++done) {
        v = momentum * v + 4 * gamma * (1 - gamma * s * s) * s;
        s += rate * v;
      }
    }
    values.push_back(s);
  }
  return values;
}

double descent_speed(double gamma, double rate, double momentum) {
  // x^2 - (1 + m + a) x + m = 0 with a = 4 eta gamma; y = x - 1 is what each step adds.
  const double a = 4 * rate * gamma;
  const double b = 1 - momentum - a;
  const double root = std::sqrt(b * b + 4 * a);
  const double y = b > 0 ? 2 * a / (b + root) : (root - b) / 2;
  return std::log1p(y) / a;
}

double half_rise_of(std::span<const double> x, std::span<const double> curve) {
  const auto logit = [](double l) { return std::log(l / (1 - l)); };
  for (std::size_t i = 1; i < curve.size(); ++i) {
    const double before = curve[i - 1];
    const double after = curve[i];
    if (!(before < 0.5 && after >= 0.5)) continue;
    const double width = x[i] - x[i - 1];
    if (before > 0 && after < 1) return x[i - 1] - width * logit(before) / (logit(after) - logit(before));
    return x[i - 1] + width * (0.5 - before) / (after - before);
  }
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace stepwise
