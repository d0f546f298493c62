#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "stepwise/data/pairs.hpp"
#include "stepwise/io/series_file.hpp"

namespace stepwise {

/// What a linear probe of embeddings in training is for. Classes are numbers from 0.
struct LabelProbe {
  std::vector<std::int64_t> train;  ///< of each pair
  std::vector<std::int64_t> test;   ///< of each test sample, -1: not in training; empty: judge in cross-validation
  std::int64_t classes = 0;
  std::int64_t views = 2;
};

/// Nothing where the pairs have no labels, or one alone. `tests`: whether test samples are embedded. Local.
[[nodiscard]] std::optional<LabelProbe> label_probe(const PairSource& pairs, bool tests);

/// /measured/probe_accuracy.
[[nodiscard]] SeriesDataset probe_dataset(const LabelProbe& probe);

/// Accuracy of a ridge probe as that of `stepwise probe`, on all embeddings' dimensions. `test` is not looked at in
/// cross-validation. Collective. @throws CollectiveError(input) when an embedding is not finite.
[[nodiscard]] double probe_accuracy(const Communicator& comm, const LabelProbe& probe, const BlockVector& train,
                                    const BlockVector* test);

/// /data/labels and /data/test_labels, where there are such. Local.
[[nodiscard]] std::vector<FixedDataset> label_datasets(const PairSource& pairs);

}  // namespace stepwise
