#pragma once

#include <cstdint>
#include <span>

namespace stepwise {

/// value ~ M^exponent, with the standard error of the exponent.
struct WidthExponent {
  double value = 0;
  double error = 0;
  std::int64_t seeds = 0;  ///< that it comes from
};

/// From values of `widths` x seeds, row-major: for each seed the slope of log value against log width by least squares,
/// then mean and standard error over the seeds; of one seed the error of its own fit. What is not finite or not
/// positive is left out, and so is a seed with fewer than two widths. All NaN where nothing is left. Pure.
[[nodiscard]] WidthExponent fit_exponent(std::span<const std::int64_t> widths, std::span<const double> values);

/// KL(N(mean, variance) || N(other_mean, other_variance)) in nats. Pure.
[[nodiscard]] double gaussian_divergence(double mean, double variance, double other_mean, double other_variance);

/// Mean and variance of equally many numbers of several kinds, from those of each kind.
struct GaussianMoments {
  double mean = 0;
  double variance = 0;
};
[[nodiscard]] GaussianMoments pooled(std::span<const GaussianMoments> parts);

}  // namespace stepwise
