#include "label_probe.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "probe_config.hpp"
#include "stepwise/theory/probe_samples.hpp"

namespace stepwise {
namespace {

std::int64_t folds_of(const LabelProbe& probe) {
  return std::min(ProbeConfig{}.probe.folds, std::ssize(probe.train));
}

/// Embeddings with the classes of this rank's; `group` of them in turn are of one class.
LabelledSamples labelled(const BlockVector& features, const std::vector<std::int64_t>& classes, std::int64_t group) {
  LabelledSamples samples{features, {}};
  for (std::int64_t i = features.range.begin; i < features.range.end; ++i) {
    samples.classes.push_back(classes[static_cast<std::size_t>(i / group)]);
  }
  return samples;
}

}  // namespace

std::optional<LabelProbe> label_probe(const PairSource& pairs, bool tests) {
  const std::vector<std::int64_t> labels = train_labels(pairs);
  const std::vector<std::int64_t> distinct = distinct_labels(labels);
  if (distinct.size() < 2) return std::nullopt;
  LabelProbe probe{class_numbers(labels, distinct), {}, std::ssize(distinct), view_count(pairs)};
  if (tests) probe.test = class_numbers(test_labels(pairs), distinct);
  return probe;
}

SeriesDataset probe_dataset(const LabelProbe& probe) {
  const std::int64_t folds = folds_of(probe);
  const std::string description =
      probe.test.empty()
          ? fmt::format(
                "accuracy of a ridge probe for the labels in {}-fold cross-validation over the training pairs, "
                "highest among the penalties",
                folds)
          : fmt::format(
                "accuracy on the test samples of a ridge probe for the labels, trained on all views of every "
                "pair, its penalty chosen by {}-fold cross-validation",
                folds);
  return {{"/measured/probe_accuracy", "1", description, {}}, {}};
}

double probe_accuracy(const Communicator& comm, const LabelProbe& probe, const BlockVector& train,
                      const BlockVector* test) {
  const bool tested = !probe.test.empty();
  const LabelledSamples learned = labelled(train, probe.train, probe.views);
  const LabelledSamples judged =
      tested ? labelled(*test, probe.test, 1) : LabelledSamples{make_block_vector(comm, 0, train.width, 1), {}};
  const ProbeSamples samples{comm, learned, judged, probe.classes, probe.views, folds_of(probe)};
  const std::vector<double> ones(static_cast<std::size_t>(train.width), 1.0);
  const RidgeProbe found = ridge_probe(samples, fold_moments(samples), ones, relative_penalties(ProbeConfig{}));
  return tested ? found.tests[found.path.chosen] : found.path.validation[found.path.chosen];
}

std::vector<FixedDataset> label_datasets(const PairSource& pairs) {
  std::vector<FixedDataset> datasets;
  const auto add = [&](const char* name, const char* description, const char* scale,
                       const std::vector<std::int64_t>& labels) {
    if (!labels.empty()) datasets.push_back({{name, "1", description, {scale}}, {labels.size()}, labels, ""});
  };
  add("/data/labels", "class label of each pair", "/pair", train_labels(pairs));
  add("/data/test_labels", "class label of each test sample", "/test_sample", test_labels(pairs));
  return datasets;
}

}  // namespace stepwise
