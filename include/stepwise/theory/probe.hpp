#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stepwise/core/matrix_view.hpp"

namespace stepwise {

// Linear probes: ridge regression of class labels on embeddings, one class against the rest. Targets are 1 for a class
// and -1 for the others; the intercept is not penalised; the class with the highest score is predicted, the first of
// equals. Minimises sum_i (y_ic - w_c.x_i - b_c)^2 + penalty |w_c|^2 for each class c, as scikit-learn's
// RidgeClassifier does. Pure functions.

/// The distinct labels, ascending.
[[nodiscard]] std::vector<std::int64_t> distinct_labels(std::span<const std::int64_t> labels);

/// For each label its place among the distinct ones, -1 where it is none of them.
[[nodiscard]] std::vector<std::int64_t> class_numbers(std::span<const std::int64_t> labels,
                                                      std::span<const std::int64_t> distinct);

/// Sums over labelled samples, from which a probe on any leading features, scaled at will, follows. Sums of parts of
/// the samples add up. About an origin, which should be near their mean for accuracy. Memory: 8 d (d + classes) bytes.
struct LabelMoments {
  std::vector<double> origin;    ///< d
  std::vector<double> counts;    ///< classes: samples of each
  std::vector<double> sums;      ///< d x classes: sum of x - origin
  std::vector<double> products;  ///< d x d: sum of (x - origin) (x - origin)^T
  [[nodiscard]] std::int64_t features() const noexcept { return static_cast<std::int64_t>(origin.size()); }
  [[nodiscard]] std::int64_t classes() const noexcept { return static_cast<std::int64_t>(counts.size()); }
  [[nodiscard]] double samples() const noexcept;
};

/// Of the columns `which` of x, with the numbers of their classes. Local. Cost: d^2 flops a sample.
[[nodiscard]] LabelMoments label_moments(MatrixView<const double> x, std::span<const std::int64_t> classes,
                                         std::span<const std::int64_t> which, std::vector<double> origin,
                                         std::int64_t class_count);

/// What is left of `all` without `part`, about the same origin.
[[nodiscard]] LabelMoments without(const LabelMoments& all, const LabelMoments& part);

/// Covariance of the leading features (one for each scale) times their scales, k x k, divided by the number of samples.
[[nodiscard]] std::vector<double> covariance(const LabelMoments& moments, std::span<const double> scales);

/// Scores w_c.x + b_c of the classes.
struct LinearClassifier {
  std::int64_t features = 0;
  std::vector<double> weights;     ///< features x classes
  std::vector<double> intercepts;  ///< classes
};

/// Ridge probes on the leading features (one for each scale) times their scales, for each penalty. They take the
/// features without the scales. Penalties are positive. Cost: k^3 / 3 flops a penalty.
/// @throws Error(numerical) when their covariance is not finite.
[[nodiscard]] std::vector<LinearClassifier> ridge_classifiers(const LabelMoments& moments,
                                                              std::span<const double> scales,
                                                              std::span<const double> penalties);

/// How many of the columns `which` of x each classifier gets right.
[[nodiscard]] std::vector<std::int64_t> count_right(std::span<const LinearClassifier> classifiers,
                                                    MatrixView<const double> x, std::span<const std::int64_t> classes,
                                                    std::span<const std::int64_t> which);

/// RankMe (Garrido et al. 2023): exp of the entropy of sigma_j / sum sigma, sigma being the singular values of the
/// samples x k matrix of scaled leading features; between 1 and k. 0 where all are zero.
[[nodiscard]] double rankme(const LabelMoments& moments, std::span<const double> scales);

/// (sum lambda)^2 / sum lambda^2 of their covariance's eigenvalues: the participation ratio, between 1 and k; 0 where
/// nothing varies.
[[nodiscard]] double effective_dimension(const LabelMoments& moments, std::span<const double> scales);

/// For each feature f_j, sum_c (y_c.f_j)^2 / (|f_j|^2 sum_c |y_c|^2), with the features and the indicators y_c of the
/// classes centred over the samples: the share of the labels' variance in its direction. Features that are orthogonal
/// have shares that sum to at most one; a share is at most 1 / (classes - 1) where all classes are equally frequent.
[[nodiscard]] std::vector<double> label_alignment(const LabelMoments& moments);

}  // namespace stepwise
