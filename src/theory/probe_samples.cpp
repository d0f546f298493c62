#include "stepwise/theory/probe_samples.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "stepwise/dist/agree.hpp"
#include "theory/penalty.hpp"

namespace stepwise {
namespace {

std::vector<std::int64_t> all_numbers(std::int64_t count) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  return numbers;
}

/// This rank's training samples of a fold.
std::vector<std::int64_t> members(const ProbeSamples& samples, std::int64_t fold) {
  const Range own = samples.train.features.range;
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = own.begin; i < own.end; ++i) {
    if (i / samples.group % samples.folds == fold) numbers.push_back(i - own.begin);
  }
  return numbers;
}

std::vector<double> mean_features(const ProbeSamples& samples) {
  const MatrixView<const double> x = samples.train.features.local();
  std::vector<double> mean(static_cast<std::size_t>(x.rows));
  for (std::int64_t s = 0; s < x.cols; ++s) {
    for (std::int64_t i = 0; i < x.rows; ++i) mean[static_cast<std::size_t>(i)] += x(i, s);
  }
  sum(samples.comm, mean);
  for (double& m : mean) m /= static_cast<double>(samples.train.features.samples);
  return mean;
}

void check_finite(const char* what, const BlockVector& features) {
  for (std::size_t i = 0; i < features.data.size(); ++i) {
    if (std::isfinite(features.data[i])) continue;
    const std::int64_t sample = features.range.begin + static_cast<std::int64_t>(i) / features.width;
    fail(ExitCode::input, "the embedding of {} sample {} (counted from 0) is not finite", what, sample);
  }
}

}  // namespace

std::size_t best_penalty(std::span<const double> validation) {
  std::size_t best = 0;
  for (std::size_t r = 0; r < validation.size(); ++r) {
    if (validation[r] >= validation[best]) best = r;
  }
  return best;
}

std::vector<double> shares(const Communicator& comm, std::vector<std::int64_t> right, std::int64_t samples) {
  sum(comm, std::span<std::int64_t>(right));
  std::vector<double> result;
  for (const std::int64_t count : right) result.push_back(static_cast<double>(count) / static_cast<double>(samples));
  return result;
}

FoldMoments fold_moments(const ProbeSamples& samples) {
  attempt(samples.comm, [&] {
    check_finite("training", samples.train.features);
    check_finite("test", samples.test.features);
  });
  const std::vector<double> origin = mean_features(samples);
  FoldMoments result;
  for (std::int64_t fold = 0; fold < samples.folds; ++fold) {
    LabelMoments part = attempt(samples.comm, [&] {
      return label_moments(samples.train.features.local(), samples.train.classes, members(samples, fold), origin,
                           samples.class_count);
    });
    for (auto* numbers : {&part.counts, &part.sums, &part.products}) sum(samples.comm, *numbers);
    if (fold == 0) {
      result.all = part;
    } else {
      for (const auto numbers : {&LabelMoments::counts, &LabelMoments::sums, &LabelMoments::products}) {
        std::transform((result.all.*numbers).begin(), (result.all.*numbers).end(), (part.*numbers).begin(),
                       (result.all.*numbers).begin(), std::plus<>());
      }
    }
    result.folds.push_back(std::move(part));
  }
  return result;
}

RidgeProbe ridge_probe(const ProbeSamples& samples, const FoldMoments& moments, std::span<const double> scales,
                       std::span<const double> penalties) {
  const auto k = static_cast<std::size_t>(std::ssize(scales));
  const std::vector<double> c = covariance(moments.all, scales);
  double trace = 0;
  for (std::size_t i = 0; i < k; ++i) trace += c[i * (k + 1)];
  RidgeProbe probe;
  probe.path.scale = trace > 0 ? trace * moments.all.samples() / static_cast<double>(k) : 1;
  std::vector<double> absolute(penalties.begin(), penalties.end());
  for (double& penalty : absolute) penalty *= probe.path.scale;

  std::vector<std::int64_t> right(penalties.size());
  std::vector<std::int64_t> tests;
  attempt(samples.comm, [&] {
    const auto count = [&](const LabelMoments& trained_on, const LabelledSamples& judged,
                           const std::vector<std::int64_t>& which) {
      const auto classifiers = ridge_classifiers(trained_on, scales, absolute);
      return count_right(classifiers, judged.features.local(), judged.classes, which);
    };
    for (std::int64_t fold = 0; fold < samples.folds; ++fold) {
      const LabelMoments rest = without(moments.all, moments.folds[static_cast<std::size_t>(fold)]);
      const auto some = count(rest, samples.train, members(samples, fold));
      std::transform(right.begin(), right.end(), some.begin(), right.begin(), std::plus<>());
    }
    tests = count(moments.all, samples.test, all_numbers(samples.test.features.range.size()));
  });
  probe.path.validation = shares(samples.comm, right, samples.train.features.samples);
  probe.path.chosen = best_penalty(probe.path.validation);
  probe.tests = shares(samples.comm, tests, samples.test.features.samples);
  return probe;
}

double accuracy_of_scores(const Communicator& comm, const BlockVector& scores, std::span<const std::int64_t> classes) {
  const MatrixView<const double> own = scores.local();
  std::int64_t right = 0;
  for (std::int64_t s = 0; s < own.cols; ++s) {
    const double* first = own.column(s);
    right += std::max_element(first, first + own.rows) - first == classes[static_cast<std::size_t>(s)] ? 1 : 0;
  }
  return shares(comm, {right}, scores.samples).front();
}

}  // namespace stepwise
