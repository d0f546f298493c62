#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/core/matrix_view.hpp"
#include "stepwise/data/pairs.hpp"

namespace stepwise {

/// read_samples and read_tests for a file, before standardisation.
void read_stored_samples(const ArrayPairs& source, std::span<const std::int64_t> samples, MatrixView<double> out);
void read_stored_tests(const ArrayPairs& source, Range range, MatrixView<double> out);

/// The first pairs entries of `labels`, or the first tests entries of `test_labels`; empty where there are none.
[[nodiscard]] std::vector<std::int64_t> stored_train_labels(const ArrayPairs& source);
[[nodiscard]] std::vector<std::int64_t> stored_test_labels(const ArrayPairs& source);

}  // namespace stepwise
