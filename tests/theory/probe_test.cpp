#include "stepwise/theory/probe.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "stepwise/core/error.hpp"
#include "stepwise/core/random.hpp"

namespace stepwise {
namespace {

std::size_t at(std::int64_t i, std::int64_t j, std::int64_t rows) {
  return static_cast<std::size_t>(i + j * rows);
}

/// Random samples around class means, far from the origin.
struct Data {
  std::int64_t d = 4;
  std::int64_t classes = 3;
  std::int64_t n = 30;
  std::vector<double> x;
  std::vector<std::int64_t> labels;
  std::vector<std::int64_t> all;

  Data() : all(30) {
    std::iota(all.begin(), all.end(), std::int64_t{0});
    for (std::int64_t s = 0; s < n; ++s) {
      RandomStream random(3, Purpose::probe, s);
      labels.push_back(random.below(3));
      for (std::int64_t i = 0; i < d; ++i) x.push_back(5 + (labels.back() == i ? 1 : 0) + random.normal());
    }
  }
  [[nodiscard]] MatrixView<const double> view() const { return {x.data(), d, n, d}; }
  [[nodiscard]] LabelMoments moments(const std::vector<double>& origin) const {
    return label_moments(view(), labels, all, origin, classes);
  }
};

TEST(Labels, AreNumberedInAscendingOrder) {
  const std::vector<std::int64_t> labels{7, -2, 7, 40, -2};
  const auto distinct = distinct_labels(labels);
  EXPECT_EQ(distinct, (std::vector<std::int64_t>{-2, 7, 40}));
  EXPECT_EQ(class_numbers(labels, distinct), (std::vector<std::int64_t>{1, 0, 1, 2, 0}));
  EXPECT_EQ(class_numbers(std::vector<std::int64_t>{8, 40}, distinct), (std::vector<std::int64_t>{-1, 2}));
}

/// The gradient of sum_i (y_i - w.x_i - b)^2 + penalty |w|^2 with respect to w and b, for scaled features.
TEST(RidgeClassifiers, AreStationaryPointsOfTheirObjective) {
  const Data data;
  const std::vector<double> scales{1, 0.25, 3};  // the leading three features
  const std::vector<double> penalties{1e-3, 20};
  for (const double origin : {0.0, 5.0}) {
    const auto fits = ridge_classifiers(data.moments(std::vector<double>(4, origin)), scales, penalties);
    ASSERT_EQ(fits.size(), 2U);
    for (std::size_t r = 0; r < 2; ++r) {
      for (std::int64_t c = 0; c < data.classes; ++c) {
        std::vector<double> gradient(4);
        for (std::int64_t i = 0; i < 3; ++i) {
          const auto a = static_cast<std::size_t>(i);
          gradient[a] = penalties[r] * fits[r].weights[at(i, c, 3)] / scales[a];
        }
        for (std::int64_t s = 0; s < data.n; ++s) {
          double error = fits[r].intercepts[static_cast<std::size_t>(c)] - (data.labels[at(s, 0, 1)] == c ? 1 : -1);
          for (std::int64_t i = 0; i < 3; ++i) error += fits[r].weights[at(i, c, 3)] * data.view()(i, s);
          for (std::int64_t i = 0; i < 3; ++i) {
            gradient[static_cast<std::size_t>(i)] += error * scales[static_cast<std::size_t>(i)] * data.view()(i, s);
          }
          gradient[3] += error;
        }
        for (const double g : gradient) EXPECT_NEAR(g, 0, 1e-9) << "class " << c << ", penalty " << penalties[r];
      }
    }
  }
}

TEST(RidgeClassifiers, LeavingAPartOutIsTrainingOnTheRest) {
  const Data data;
  std::vector<std::int64_t> part;
  std::vector<std::int64_t> rest;
  for (std::int64_t s = 0; s < data.n; ++s) (s % 3 == 1 ? part : rest).push_back(s);
  const std::vector<double> origin(4, 5);
  const auto of = [&](const std::vector<std::int64_t>& which) {
    return label_moments(data.view(), data.labels, which, origin, data.classes);
  };
  const std::vector<double> scales(4, 1.0);
  const std::vector<double> penalty{0.7};
  const auto less = ridge_classifiers(without(data.moments(origin), of(part)), scales, penalty).front();
  const auto direct = ridge_classifiers(of(rest), scales, penalty).front();
  for (std::size_t i = 0; i < less.weights.size(); ++i) EXPECT_NEAR(less.weights[i], direct.weights[i], 1e-12);
  for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(less.intercepts[c], direct.intercepts[c], 1e-12);
}

TEST(RidgeClassifiers, CountWhatTheyGetRight) {
  const std::vector<double> x{1, 0, -2, 0, 3, 9};  // three samples of two features
  const std::vector<std::int64_t> classes{0, 1, -1};
  const std::vector<std::int64_t> all{0, 1, 2};
  const std::vector<LinearClassifier> fits{{1, {1, -1}, {0, 0}}, {1, {0, 0}, {1, 1}}, {2, {-1, 0, 1, 0}, {0, 0}}};
  const MatrixView<const double> view{x.data(), 2, 3, 2};
  EXPECT_EQ(count_right(fits, view, classes, all), (std::vector<std::int64_t>{2, 1, 0}))
      << "by sign; the first of equals; the other way round";
  EXPECT_EQ(count_right(fits, view, classes, std::vector<std::int64_t>{1}), (std::vector<std::int64_t>{1, 0, 0}));
}

TEST(RidgeClassifiers, FeaturesThatAreNotFinite) {
  Data data;
  data.x[5] = std::nan("");
  const LabelMoments moments = data.moments(std::vector<double>(4, 0.0));
  EXPECT_THROW((void)ridge_classifiers(moments, std::vector<double>(4, 1.0), std::vector<double>{1.0}), Error);
}

/// Samples +-e_i times a length: orthogonal columns with mean zero.
LabelMoments axes(const std::vector<double>& lengths, double mean = 0) {
  const auto d = static_cast<std::int64_t>(lengths.size());
  std::vector<double> x(static_cast<std::size_t>(2 * d * d), mean);
  for (std::int64_t i = 0; i < d; ++i) {
    x[at(i, 2 * i, d)] += lengths[static_cast<std::size_t>(i)];
    x[at(i, 2 * i + 1, d)] -= lengths[static_cast<std::size_t>(i)];
  }
  std::vector<std::int64_t> all(static_cast<std::size_t>(2 * d));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  std::vector<std::int64_t> classes(all.size());
  classes[0] = 1;  // the first sample against the others
  return label_moments({x.data(), d, 2 * d, d}, classes, all, std::vector<double>(lengths.size()), 2);
}

TEST(Dimensions, OfKnownSpectra) {
  const std::vector<double> ones(5, 1.0);
  EXPECT_NEAR(rankme(axes(ones), ones), 5, 1e-12);
  EXPECT_NEAR(effective_dimension(axes(ones), ones), 5, 1e-12);
  EXPECT_NEAR(rankme(axes(ones), std::span(ones).first(2)), 2, 1e-12);
  const std::vector<double> lengths{2, 1, 1};
  const std::vector<double> scales{1e-120, 1e-120, 1e-120};
  EXPECT_NEAR(rankme(axes(lengths), scales), std::exp(0.5 * std::log(2) + 0.5 * std::log(4)), 1e-12)
      << "of 1/2, 1/4, 1/4";
  EXPECT_NEAR(effective_dimension(axes(lengths), scales), 36.0 / 18.0, 1e-12);
  EXPECT_NEAR(effective_dimension(axes(lengths, 100), std::vector<double>{1, 0.5, 0.5}), 4.5 * 4.5 / 16.125, 1e-9)
      << "without the mean";
  EXPECT_LT(rankme(axes(lengths, 100), std::vector<double>(3, 1.0)), 1.1) << "with the mean";
  const std::vector<double> zero{0};
  EXPECT_EQ(rankme(axes(zero), std::vector<double>{1}), 0);
  EXPECT_EQ(effective_dimension(axes(zero), std::vector<double>{1}), 0);
}

TEST(LabelAlignment, IsTheShareOfTheLabelsVariance) {
  // Of two classes both indicators are alike; y = (1, 0, 0, 0) - 1/4 has |y|^2 = 3/4, y.f_1 = 1 and |f_1|^2 = 2.
  const auto shares = label_alignment(axes({1, 1}, 30));
  EXPECT_NEAR(shares[0], 1.0 / (2 * 0.75), 1e-9);
  EXPECT_NEAR(shares[1], 0, 1e-12);
  const auto scaled = label_alignment(axes({1e-3, 7}));
  EXPECT_NEAR(scaled[0], 1.0 / (2 * 0.75), 1e-9);
}

}  // namespace
}  // namespace stepwise
