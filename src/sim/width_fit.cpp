#include "stepwise/sim/width_fit.hpp"

#include <cmath>
#include <limits>
#include <vector>

namespace stepwise {
namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

struct Line {
  double slope = nothing;
  double error = nothing;
};

/// Least squares through (x, y).
Line fit_line(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  if (n < 2) return {};
  double mean_x = 0;
  double mean_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    mean_x += x[i] / n;
    mean_y += y[i] / n;
  }
  double xx = 0;
  double xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  const double slope = xy / xx;
  double residual = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double off = y[i] - mean_y - slope * (x[i] - mean_x);
    residual += off * off;
  }
  return {slope, n > 2 ? std::sqrt(residual / (n - 2) / xx) : nothing};
}

}  // namespace

WidthExponent fit_exponent(std::span<const std::int64_t> widths, std::span<const double> values) {
  const std::size_t seeds = widths.empty() ? 0 : values.size() / widths.size();
  std::vector<Line> lines;
  for (std::size_t seed = 0; seed < seeds; ++seed) {
    std::vector<double> x;
    std::vector<double> y;
    for (std::size_t w = 0; w < widths.size(); ++w) {
      const double value = values[w * seeds + seed];
      if (!(std::isfinite(value) && value > 0)) continue;
      x.push_back(std::log(static_cast<double>(widths[w])));
      y.push_back(std::log(value));
    }
    if (x.size() > 1) lines.push_back(fit_line(x, y));
  }
  if (lines.empty()) return {nothing, nothing, 0};
  const auto count = static_cast<double>(lines.size());
  double mean = 0;
  for (const Line& line : lines) mean += line.slope / count;
  if (lines.size() == 1) return {mean, lines.front().error, 1};
  double squares = 0;
  for (const Line& line : lines) squares += (line.slope - mean) * (line.slope - mean);
  return {mean, std::sqrt(squares / (count - 1) / count), std::ssize(lines)};
}

double gaussian_divergence(double mean, double variance, double other_mean, double other_variance) {
  const double apart = mean - other_mean;
  return 0.5 * (std::log(other_variance / variance) + (variance + apart * apart) / other_variance - 1);
}

GaussianMoments pooled(std::span<const GaussianMoments> parts) {
  const auto count = static_cast<double>(parts.size());
  GaussianMoments all;
  for (const GaussianMoments& part : parts) all.mean += part.mean / count;
  for (const GaussianMoments& part : parts) {
    const double apart = part.mean - all.mean;
    all.variance += (part.variance + apart * apart) / count;
  }
  return all;
}

}  // namespace stepwise
