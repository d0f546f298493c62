#include "stepwise/sim/correlation_loss.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "sim/problem.hpp"
#include "support/lapack.hpp"

namespace stepwise::test {
namespace {

constexpr std::int64_t d = 4;

const std::vector<CorrelationLoss> every_loss = {
    {Shaping::plain}, {Shaping::sharpened}, {Shaping::smoothed, 0}, {Shaping::smoothed, 0.3}, {Shaping::quartic}};

/// l(lambda) as the paper writes it.
double formula(const CorrelationLoss& loss, double l) {
  double g = l;
  if (loss.shaping == Shaping::sharpened) g = std::copysign(std::sqrt(std::abs(l)), l);
  if (loss.shaping == Shaping::smoothed) g = std::min(l, 1 + loss.epsilon * (1 - l));
  return std::pow(1 - g, loss.shaping == Shaping::quartic ? 4 : 2);
}

/// Q diag(lambda) Q^T with some orthogonal Q.
std::vector<double> matrix_with(const std::vector<double>& lambda) {
  std::vector<double> a = normal_matrix(1, d, {0, d});
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < i; ++j) a[i + j * d] = a[j + i * d];
  }
  const std::vector<double> q = sequential_eigen(a, d).vectors;
  std::vector<double> scaled = q;
  for (std::size_t i = 0; i < scaled.size(); ++i) scaled[i] *= lambda[i / d];
  return naive_product(scaled, transposed(q, d), d, d);
}

double value(const CorrelationLoss& loss, const std::vector<double>& c) {
  return evaluate(loss, view(c, d)).loss;
}

TEST(CorrelationLoss, ValuesAreTheFormulasOfTheEigenvalues) {
  const std::vector<double> lambda = {1.7, 0.9, 0.2, -0.4};
  const std::vector<double> c = matrix_with(lambda);
  const std::vector<double> found = spectrum(view(c, d));
  for (std::size_t j = 0; j < d; ++j) EXPECT_NEAR(found[j], lambda[j], 1e-14);
  for (const CorrelationLoss& loss : every_loss) {
    double expected = 0;
    for (const double l : lambda) expected += formula(loss, l);
    EXPECT_NEAR(value(loss, c), expected, 1e-13);
  }
}

TEST(CorrelationLoss, GradientsAreCentralDifferences) {
  for (const std::vector<double>& lambda : {std::vector<double>{1.7, 0.9, 0.2, -0.4}, {0.5, 0.5, 0.5, 1.5}}) {
    const std::vector<double> c = matrix_with(lambda);
    for (const CorrelationLoss& loss : every_loss) {
      const LossOfC at = evaluate(loss, view(c, d));
      for (std::size_t i = 0; i < d; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
          const double h = 1e-5;
          std::vector<double> up = c;
          std::vector<double> down = c;
          for (const std::size_t place : {i + j * d, j + i * d}) {
            up[place] = c[place] + h;
            down[place] = c[place] - h;
          }
          const double both = i == j ? 1 : 2;
          EXPECT_NEAR((value(loss, up) - value(loss, down)) / (2 * h), both * at.gradient[i + j * d], 1e-8);
          EXPECT_NEAR(at.gradient[i + j * d], at.gradient[j + i * d], 1e-14);
        }
      }
    }
  }
}

TEST(CorrelationLoss, SharpenedIsFiniteAtZeroAndTheFormulaElsewhere) {
  const double delta = std::numeric_limits<double>::epsilon();
  const auto slope = [](double l) {
    const std::vector<double> c = {l};
    return evaluate({Shaping::sharpened}, view(c, 1)).gradient.front();
  };
  EXPECT_DOUBLE_EQ(slope(0), -2 / std::sqrt(delta));
  for (const double l : {1e-13, 1e-9, 1e-3}) {
    EXPECT_NEAR(slope(l) / (1 - 1 / std::sqrt(l)), 1, 1e-5);
    EXPECT_NEAR(slope(-l) / (-1 - 1 / std::sqrt(l)), 1, 1e-5);
  }
}

TEST(CorrelationLoss, NanGivesNan) {
  std::vector<double> c = matrix_with({1, 1, 1, 1});
  c[1] = c[d] = std::numeric_limits<double>::quiet_NaN();
  for (const CorrelationLoss& loss : every_loss) EXPECT_TRUE(std::isnan(value(loss, c)));
  EXPECT_TRUE(std::isnan(spectrum(view(c, d)).front()));
}

}  // namespace
}  // namespace stepwise::test
