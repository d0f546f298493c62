#include "stepwise/theory/probe_samples.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "stepwise/dist/agree.hpp"
#include "support/lapack.hpp"
#include "theory/problem.hpp"

extern "C" void dposv_(const char* uplo, const int* n, const int* nrhs, double* a, const int* lda, double* b,
                       const int* ldb, int* info);

namespace stepwise {
namespace {

using test::every_grid;
using test::random_pairs;
using test::world;

constexpr std::int64_t d = 5;
constexpr std::int64_t classes = 3;
constexpr std::int64_t views = 2;

std::size_t at(std::int64_t i, std::int64_t j, std::int64_t rows) {
  return static_cast<std::size_t>(i + j * rows);
}

/// Samples and classes whole on every rank, and dealt out. The views of a pair are alike.
struct Labelled {
  std::vector<double> x;
  std::vector<std::int64_t> labels;
  LabelledSamples dealt;

  Labelled(std::int64_t samples, std::int64_t group, Purpose purpose) {
    for (std::int64_t s = 0; s < samples; ++s) {
      RandomStream pair(7, purpose, s / group);
      RandomStream own(7, purpose, s, 1);
      labels.push_back(pair.below(classes));
      for (std::int64_t i = 0; i < d; ++i) {
        x.push_back(2 + (labels.back() == i ? 1.2 : 0) + 0.7 * pair.normal() + 0.3 * own.normal());
      }
    }
    dealt.features = make_block_vector(world(), samples, d, group);
    const Range range = dealt.features.range;
    std::copy(x.begin() + range.begin * d, x.begin() + range.end * d, dealt.features.data.begin());
    dealt.classes.assign(labels.begin() + range.begin, labels.begin() + range.end);
  }
};

struct Setting {
  Labelled train{60, views, Purpose::probe};
  Labelled test{25, 1, Purpose::image};
  ProbeSamples samples{world(), train.dealt, test.dealt, classes, views, 4};
};

std::int64_t first_of_largest(const std::vector<double>& scores) {
  return std::max_element(scores.begin(), scores.end()) - scores.begin();
}

/// Solves a x = b for a symmetric positive definite matrix.
std::vector<double> solve(std::vector<double> a, std::vector<double> b, std::int64_t n) {
  const int order = static_cast<int>(n);
  const int columns = static_cast<int>(std::ssize(b) / n);
  int info = 0;
  dposv_("L", &order, &columns, a.data(), &order, b.data(), &order, &info);
  EXPECT_EQ(info, 0);
  return b;
}

/// Trains on `chosen` by the normal equations with centred data, sequentially; right predictions among the others.
double literal_ridge(const Labelled& train, const std::vector<bool>& chosen, const Labelled& judged,
                     const std::vector<bool>& asked, const std::vector<double>& scales, double penalty) {
  const auto k = static_cast<std::int64_t>(scales.size());
  double count = 0;
  std::vector<double> mean(scales.size());
  std::vector<double> mean_target(classes);
  const auto value = [&](const Labelled& from, std::int64_t i, std::int64_t s) {
    return scales[static_cast<std::size_t>(i)] * from.x[at(i, s, d)];
  };
  const auto target = [&](std::int64_t s, std::int64_t c) {
    return train.labels[static_cast<std::size_t>(s)] == c ? 1.0 : -1.0;
  };
  const auto for_chosen = [&](auto&& visit) {
    for (std::size_t s = 0; s < train.labels.size(); ++s) {
      if (chosen[s]) visit(static_cast<std::int64_t>(s));
    }
  };
  for_chosen([&](std::int64_t s) {
    count += 1;
    for (std::int64_t i = 0; i < k; ++i) mean[at(i, 0, k)] += value(train, i, s);
    for (std::int64_t c = 0; c < classes; ++c) mean_target[at(c, 0, classes)] += target(s, c);
  });
  for (double& m : mean) m /= count;
  for (double& m : mean_target) m /= count;
  std::vector<double> normal(scales.size() * scales.size());
  std::vector<double> weights(scales.size() * classes);
  for (std::int64_t i = 0; i < k; ++i) normal[at(i, i, k)] = penalty;
  for_chosen([&](std::int64_t s) {
    for (std::int64_t i = 0; i < k; ++i) {
      const double a = value(train, i, s) - mean[at(i, 0, k)];
      for (std::int64_t j = 0; j < k; ++j) normal[at(i, j, k)] += a * (value(train, j, s) - mean[at(j, 0, k)]);
      for (std::int64_t c = 0; c < classes; ++c) weights[at(i, c, k)] += a * target(s, c);
    }
  });
  weights = solve(normal, weights, k);
  double right = 0;
  for (std::size_t s = 0; s < judged.labels.size(); ++s) {
    if (!asked[s]) continue;
    std::vector<double> scores = mean_target;
    for (std::int64_t c = 0; c < classes; ++c) {
      for (std::int64_t i = 0; i < k; ++i) {
        scores[at(c, 0, classes)] +=
            weights[at(i, c, k)] * (value(judged, i, static_cast<std::int64_t>(s)) - mean[at(i, 0, k)]);
      }
    }
    right += first_of_largest(scores) == judged.labels[s] ? 1 : 0;
  }
  return right;
}

TEST(RidgeProbe, CrossValidatesAndTestsAsDefined) {
  const Setting setting;
  const FoldMoments moments = fold_moments(setting.samples);
  const std::vector<double> penalties{1e-4, 0.1, 3, 1e4};
  for (const std::vector<double>& scales : {std::vector<double>{1, 1, 1, 1, 1}, {1}, {2, 0.1, 1e-3}}) {
    const RidgeProbe probe = ridge_probe(setting.samples, moments, scales, penalties);
    ASSERT_EQ(probe.tests.size(), penalties.size());
    for (std::size_t r = 0; r < penalties.size(); ++r) {
      const double penalty = penalties[r] * probe.path.scale;
      double validated = 0;
      for (std::size_t fold = 0; fold < 4; ++fold) {
        std::vector<bool> chosen;
        std::vector<bool> asked;
        for (std::size_t s = 0; s < 60; ++s) {
          asked.push_back(s / views % 4 == fold);
          chosen.push_back(!asked.back());
        }
        validated += literal_ridge(setting.train, chosen, setting.train, asked, scales, penalty);
      }
      EXPECT_NEAR(probe.path.validation[r], validated / 60, 1e-12);
      const double tested = literal_ridge(setting.train, std::vector<bool>(60, true), setting.test,
                                          std::vector<bool>(25, true), scales, penalty);
      EXPECT_NEAR(probe.tests[r], tested / 25, 1e-12);
      EXPECT_LE(probe.path.validation[r], probe.path.validation[probe.path.chosen]);
      if (r > probe.path.chosen) {
        EXPECT_LT(probe.path.validation[r], probe.path.validation[probe.path.chosen]);
      }
    }
  }
}

TEST(RidgeProbe, RefusesWhatIsNotFinite) {
  Setting setting;
  if (world().rank() == 0) setting.train.dealt.features.data[2 * d + 1] = std::nan("");
  try {
    (void)fold_moments(setting.samples);
    ADD_FAILURE() << "no error";
  } catch (const CollectiveError& error) {
    EXPECT_EQ(error.code(), ExitCode::input);
    EXPECT_NE(std::string(error.what()).find("training sample 2"), std::string::npos) << error.what();
  }
}

double literal_neighbours(const Setting& setting, std::int64_t neighbours, const std::vector<double>& scales,
                          std::int64_t k, bool cosine) {
  double right = 0;
  for (std::size_t t = 0; t < setting.test.labels.size(); ++t) {
    std::vector<std::pair<double, std::size_t>> order;
    for (std::size_t s = 0; s < setting.train.labels.size(); ++s) {
      double distance = 0, product = 0, a = 0, b = 0;
      for (std::size_t i = 0; i < static_cast<std::size_t>(k); ++i) {
        const double x = scales[i] * setting.train.x[i + s * d];
        const double y = scales[i] * setting.test.x[i + t * d];
        distance += (x - y) * (x - y);
        product += x * y;
        a += x * x;
        b += y * y;
      }
      order.emplace_back(cosine ? -product / std::sqrt(a * b) : distance, s);
    }
    std::sort(order.begin(), order.end());
    std::vector<double> votes(classes);
    for (std::int64_t i = 0; i < neighbours; ++i) {
      votes[static_cast<std::size_t>(setting.train.labels[order[static_cast<std::size_t>(i)].second])] += 1;
    }
    right += first_of_largest(votes) == setting.test.labels[t] ? 1 : 0;
  }
  return right / static_cast<double>(setting.test.labels.size());
}

TEST(Neighbours, VoteAsDefined) {
  const Setting setting;
  const std::vector<double> scales{1e-9, 2e-9, 1e-9, 0.5e-9, 1e-9};
  const std::vector<std::int64_t> leading{2, 3, 5};
  for (const std::int64_t neighbours : {1, 4, 60}) {
    for (const std::int64_t numbers : {1, 1 << 20}) {  // one test sample at a time, and all
      const NeighbourAccuracy found = neighbour_accuracy(setting.samples, neighbours, scales, leading, numbers);
      for (std::size_t l = 0; l < leading.size(); ++l) {
        EXPECT_NEAR(found.euclidean[l], literal_neighbours(setting, neighbours, scales, leading[l], false), 1e-12);
        EXPECT_NEAR(found.cosine[l], literal_neighbours(setting, neighbours, scales, leading[l], true), 1e-12);
      }
    }
  }
}

TEST(Neighbours, OfEquallyFarSamplesTheFirstIsNearer) {
  Setting setting;
  for (LabelledSamples* part : {&setting.train.dealt, &setting.test.dealt}) {
    std::fill(part->features.data.begin(), part->features.data.end(), 1.0);
  }
  const std::vector<double> scales(d, 1.0);
  const auto found = neighbour_accuracy(setting.samples, 1, scales, std::vector<std::int64_t>{d});
  const double first = static_cast<double>(std::ranges::count(setting.test.labels, setting.train.labels[0])) / 25;
  EXPECT_NEAR(found.euclidean[0], first, 1e-12);
  EXPECT_NEAR(found.cosine[0], first, 1e-12);
}

TEST(KernelRidge, LeavesOutEveryPairExactly) {
  const auto pairs = random_pairs(15, 6, 0.4);
  const std::int64_t n = pairs.samples();
  const std::vector<double> penalties{1e-3, 1, 1e3};
  const auto labels = Labelled(n, views, Purpose::probe);
  const ProbeSamples samples{world(), labels.dealt, labels.dealt, classes, views, 2};
  const Kernel kernel = RbfKernel{2};
  const Samples whole = pairs.pick(test::range_numbers(0, n));
  std::vector<double> k(static_cast<std::size_t>(n * n));
  evaluate(kernel, whole, {0, n}, whole, {0, n}, {k.data(), n, n, n});
  const auto target = [&](std::int64_t s, std::int64_t c) {
    return labels.labels[static_cast<std::size_t>(s)] == c ? 1.0 : -1.0;
  };
  for (const auto& grid : every_grid()) {
    const KernelRidge fit = kernel_ridge(test::kernel_matrix(kernel, pairs, grid), samples, penalties);
    EXPECT_NEAR(fit.path.scale, 1, 1e-12) << "the mean of k(x, x)";
    for (std::size_t r = 0; r < penalties.size(); ++r) {
      double right = 0;
      for (std::int64_t out = 0; out < n; out += views) {
        std::vector<std::int64_t> rest;
        for (std::int64_t s = 0; s < n; ++s) {
          if (s / views != out / views) rest.push_back(s);
        }
        const auto m = static_cast<std::int64_t>(rest.size());
        std::vector<double> matrix;
        for (const std::int64_t j : rest) {
          for (const std::int64_t i : rest)
            matrix.push_back(k[at(i, j, n)] + (i == j ? penalties[r] * fit.path.scale : 0));
        }
        std::vector<double> y;
        for (std::int64_t c = 0; c < classes; ++c) {
          for (const std::int64_t i : rest) y.push_back(target(i, c));
        }
        const std::vector<double> dual = solve(matrix, y, m);
        for (std::int64_t s = out; s < out + views; ++s) {
          std::vector<double> scores(classes);
          for (std::int64_t c = 0; c < classes; ++c) {
            for (std::int64_t i = 0; i < m; ++i) {
              scores[at(c, 0, classes)] += k[at(s, rest[static_cast<std::size_t>(i)], n)] * dual[at(i, c, m)];
            }
          }
          right += first_of_largest(scores) == labels.labels[static_cast<std::size_t>(s)] ? 1 : 0;
        }
      }
      EXPECT_NEAR(fit.path.validation[r], right / static_cast<double>(n), 1e-12) << "penalty " << penalties[r];
    }
    // (K + p I) C = Y.
    const std::vector<double> dual = test::replicate(fit.dual);
    const double penalty = penalties[fit.path.chosen] * fit.path.scale;
    for (std::int64_t s = 0; s < n; ++s) {
      for (std::int64_t c = 0; c < classes; ++c) {
        double image = penalty * dual[at(c, s, classes)];
        for (std::int64_t i = 0; i < n; ++i) image += k[at(s, i, n)] * dual[at(c, i, classes)];
        EXPECT_NEAR(image, target(s, c), 1e-9);
      }
    }
  }
}

}  // namespace
}  // namespace stepwise
