#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/core/matrix_view.hpp"
#include "stepwise/data/pairs.hpp"

namespace stepwise {

/// read_samples and read_tests for two modalities: [modality, its numbers standardised, zeros] in each column.
void read_modalities(const MultimodalPairs& source, std::span<const std::int64_t> samples, MatrixView<double> out);
void read_modality_tests(const MultimodalPairs& source, Range range, MatrixView<double> out);

/// Samples `range` of one modality as they are stored, one after the other.
[[nodiscard]] std::vector<double> read_modality(const MultimodalPairs& source, std::size_t which, Range range);

/// The first pairs entries of `labels`; empty where there are none.
[[nodiscard]] std::vector<std::int64_t> modality_labels(const MultimodalPairs& source);

}  // namespace stepwise
