#include "stepwise/sim/pair_loss.hpp"

#include <gtest/gtest.h>

#include "networks.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

using test::columns;
using test::Vector;

constexpr std::int64_t d = 3;

/// The formulas as their papers write them, for embeddings f(sample, output).
struct Literal {
  const Vector& numbers;
  std::int64_t views;

  [[nodiscard]] std::int64_t samples() const { return std::ssize(numbers) / d; }
  [[nodiscard]] std::int64_t groups() const { return samples() / views; }
  [[nodiscard]] double f(std::int64_t group, std::int64_t view, std::int64_t j) const {
    return numbers[static_cast<std::size_t>((group * views + view) * d + j)];
  }
  [[nodiscard]] double dot(std::int64_t s, std::int64_t t) const {
    double sum = 0;
    for (std::int64_t j = 0; j < d; ++j) {
      sum += numbers[static_cast<std::size_t>(s * d + j)] * numbers[static_cast<std::size_t>(t * d + j)];
    }
    return sum;
  }
  [[nodiscard]] double mean(std::int64_t v, std::int64_t j) const {
    double sum = 0;
    for (std::int64_t i = 0; i < groups(); ++i) sum += f(i, v, j);
    return sum / static_cast<double>(groups());
  }
  /// sum_i (f_v,j - mean)(f_w,k - mean)
  [[nodiscard]] double joint(std::int64_t v, std::int64_t j, std::int64_t w, std::int64_t k) const {
    double sum = 0;
    for (std::int64_t i = 0; i < groups(); ++i) sum += (f(i, v, j) - mean(v, j)) * (f(i, w, k) - mean(w, k));
    return sum;
  }
  /// Mean over all pairs of views.
  template <class Term>
  [[nodiscard]] double over_pairs(Term term) const {
    double sum = 0;
    std::int64_t count = 0;
    for (std::int64_t v = 0; v < views; ++v) {
      for (std::int64_t w = v + 1; w < views; ++w, ++count) sum += term(v, w);
    }
    return sum / static_cast<double>(count);
  }

  double operator()(const SimplifiedBarlowTwins&) const {
    double loss = 0;
    for (std::int64_t j = 0; j < d; ++j) {
      for (std::int64_t k = 0; k < d; ++k) {
        double c = 0;
        for (std::int64_t i = 0; i < groups(); ++i) {
          for (std::int64_t v = 0; v < views; ++v) {
            for (std::int64_t w = 0; w < views; ++w) c += v == w ? 0 : f(i, v, j) * f(i, w, k);
          }
        }
        c = c / static_cast<double>(samples() * (views - 1)) - (j == k ? 1 : 0);
        loss += c * c;
      }
    }
    return loss;
  }
  double operator()(const BarlowTwins& loss) const {
    return over_pairs([&](std::int64_t v, std::int64_t w) {
      double sum = 0;
      const auto n = static_cast<double>(groups());
      for (std::int64_t j = 0; j < d; ++j) {
        for (std::int64_t k = 0; k < d; ++k) {
          const double c = joint(v, j, w, k) / n / std::sqrt(joint(v, j, v, j) / n + loss.epsilon) /
                           std::sqrt(joint(w, k, w, k) / n + loss.epsilon);
          sum += j == k ? (1 - c) * (1 - c) : loss.off_diagonal * c * c;
        }
      }
      return sum;
    });
  }
  double operator()(const SimClr& loss) const {
    const auto e = [&](std::int64_t s, std::int64_t t) {
      return std::exp(dot(s, t) / std::sqrt(dot(s, s) * dot(t, t)) / loss.temperature);
    };
    double sum = 0;
    for (std::int64_t s = 0; s < samples(); ++s) {
      double all = 0;
      for (std::int64_t t = 0; t < samples(); ++t) all += s == t ? 0 : e(s, t);
      for (std::int64_t t = s / views * views; t < (s / views + 1) * views; ++t) {
        if (t != s) sum -= std::log(e(s, t) / all);
      }
    }
    return sum / static_cast<double>(samples() * (views - 1));
  }
  double operator()(const VicReg& loss) const {
    const auto n = static_cast<double>(groups());
    const auto of_view = [&](std::int64_t v) {
      double sum = 0;
      for (std::int64_t j = 0; j < d; ++j) {
        sum += loss.variance * std::max(0.0, loss.target - std::sqrt(joint(v, j, v, j) / (n - 1) + loss.epsilon)) / d;
        for (std::int64_t k = 0; k < d; ++k) {
          const double cov = joint(v, j, v, k) / (n - 1);
          sum += j == k ? 0 : loss.covariance * cov * cov / d;
        }
      }
      return sum;
    };
    return over_pairs([&](std::int64_t v, std::int64_t w) {
      double apart = 0;
      for (std::int64_t i = 0; i < groups(); ++i) {
        for (std::int64_t j = 0; j < d; ++j) apart += (f(i, v, j) - f(i, w, j)) * (f(i, v, j) - f(i, w, j));
      }
      return loss.invariance * apart / n + of_view(v) + of_view(w);
    });
  }
  double operator()(const SpectralContrastive&) const {
    double together = 0;
    double apart = 0;
    std::int64_t positive = 0;
    std::int64_t negative = 0;
    for (std::int64_t s = 0; s < samples(); ++s) {
      for (std::int64_t t = 0; t < samples(); ++t) {
        if (s == t) continue;
        const bool same = s / views == t / views;
        (same ? together : apart) += same ? dot(s, t) : dot(s, t) * dot(s, t);
        ++(same ? positive : negative);
      }
    }
    return -2 * together / static_cast<double>(positive) + apart / static_cast<double>(negative);
  }
};

const std::vector<PairLoss> losses{SimplifiedBarlowTwins{},    BarlowTwins{0.3, 1e-3},       SimClr{0.2},
                                   VicReg{2, 3, 1.5, 1, 1e-4}, VicReg{2, 3, 1.5, 100, 1e-4}, SpectralContrastive{}};

TEST(PairLoss, IsItsFormulaAndItsGradientThatOfCentralDifferencesOnAnyNumberOfRanks) {
  for (const std::int64_t views : {2, 3}) {
    const Pairing pairing{views};
    const std::int64_t n = 5 * views;
    Vector f = test::normal_columns(d, n, 4, views);
    const Range own = sample_share(test::world(), n, views);
    for (std::size_t which = 0; which < losses.size(); ++which) {
      const PairLoss& loss = losses[which];
      const auto literal = [&] { return std::visit(Literal{f, views}, loss); };
      Vector gradient(static_cast<std::size_t>(d * own.size()), 7.0);
      const double value =
          evaluate(loss, columns(f, d, own), pairing, test::world(), {gradient.data(), d, own.size(), d});
      EXPECT_NEAR(value, literal(), 1e-12 * (1 + std::abs(value))) << which << ", " << views << " views";
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        double& x = f[static_cast<std::size_t>(own.begin * d) + i];
        const double kept = x;
        constexpr double step = 1e-5;
        x = kept + step;
        const double above = literal();
        x = kept - step;
        const double below = literal();
        x = kept;
        EXPECT_NEAR(gradient[i], (above - below) / (2 * step), 2e-8 * (1 + std::abs(value)))
            << which << ", " << views << " views, number " << i;
      }
    }
  }
}

TEST(PairLoss, OfManySamplesIsTheSameOnAnyNumberOfRanks) {
  const std::int64_t n = 1200;  // more than SimCLR takes at once
  const Vector f = test::normal_columns(d, n, 8);
  const Range own = sample_share(test::world(), n, 2);
  for (const PairLoss& loss : losses) {
    Vector gradient(static_cast<std::size_t>(d * own.size()));
    Vector expected(f.size());
    const double value = evaluate(loss, columns(f, d, own), {2}, test::world(), {gradient.data(), d, own.size(), d});
    const double alone = evaluate(loss, columns(f, d), {2}, test::alone().data, {expected.data(), d, n, d});
    EXPECT_NEAR(value, alone, 1e-12 * std::abs(alone));
    const Vector part(expected.begin() + own.begin * d, expected.begin() + own.end * d);
    EXPECT_LT(test::largest_difference(gradient, part), 1e-13 * (1 + std::abs(alone)));
  }
}

TEST(PairLoss, EmbeddingsOfZeroHaveNoDirection) {
  const Vector f(static_cast<std::size_t>(d * 4));
  Vector gradient(f.size());
  const double value = evaluate(SimClr{}, columns(f, d), {2}, test::alone().data, {gradient.data(), d, 4, d});
  EXPECT_NEAR(value, std::log(3.0), 1e-12);
  for (const double x : gradient) EXPECT_EQ(x, 0);
}

TEST(PairLoss, MomentsOfTheEmbeddings) {
  const std::int64_t n = 12;
  const Vector f = test::normal_columns(d, n, 6);
  const Range own = sample_share(test::world(), n, 2);
  const Vector c = pair_correlation(columns(f, d, own), {2}, test::world());
  const Vector covariance = sample_covariance(columns(f, d, own), test::world());
  for (std::int64_t j = 0; j < d; ++j) {
    for (std::int64_t k = 0; k < d; ++k) {
      double joint = 0;
      double product = 0;
      double mean_j = 0;
      double mean_k = 0;
      for (std::int64_t s = 0; s < n; ++s) {
        const double x = f[static_cast<std::size_t>(s * d + j)];
        joint += x * f[static_cast<std::size_t>((s ^ 1) * d + k)] / n;
        product += x * f[static_cast<std::size_t>(s * d + k)] / n;
        mean_j += x / n;
        mean_k += f[static_cast<std::size_t>(s * d + k)] / n;
      }
      EXPECT_NEAR(c[static_cast<std::size_t>(j + k * d)], joint, 1e-14);
      EXPECT_NEAR(covariance[static_cast<std::size_t>(j + k * d)], product - mean_j * mean_k, 1e-14);
    }
  }
}

TEST(PairLoss, RefusesParametersOutOfRange) {
  EXPECT_NO_THROW(validate(PairLoss{SimClr{0.1}}));
  EXPECT_THROW(validate(PairLoss{SimClr{0}}), Error);
  EXPECT_THROW(validate(PairLoss{BarlowTwins{-1}}), Error);
  EXPECT_THROW(validate(PairLoss{VicReg{25, 25, NAN}}), Error);
  EXPECT_EQ(fewest_groups(SimplifiedBarlowTwins{}), 1);
  EXPECT_EQ(fewest_groups(VicReg{}), 2);
}

}  // namespace
}  // namespace stepwise
