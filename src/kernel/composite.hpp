#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/core/matrix_view.hpp"
#include "stepwise/kernel/kernel.hpp"
#include "stepwise/kernel/samples.hpp"

namespace stepwise {

/// Some samples of one modality, as its kernel wants them, and where they stand in the range they come from.
template <class T>
struct Modality {
  BasicSamples<T> samples;
  std::vector<std::int64_t> places;
};

/// The samples in `range` that belong to modality `which` (0 or 1), whose kernel takes `features` numbers.
template <class T>
[[nodiscard]] Modality<T> modality(const BasicSamples<T>& x, Range range, int which, std::int64_t features);

/// evaluate() for a kernel made of others, from evaluate() of its parts. Returns false, and does nothing, for any
/// other. Cost beyond the parts: O(1) per entry, a copy of the samples for two modalities, one entry per row and column
/// of the tile for normalisation. Memory: at most two tiles.
template <class T>
bool evaluate_composite(const Kernel& kernel, const BasicSamples<T>& x, Range rows, const BasicSamples<T>& y,
                        Range cols, MatrixView<T> out);

extern template bool evaluate_composite(const Kernel&, const Samples&, Range, const Samples&, Range,
                                        MatrixView<double>);
extern template bool evaluate_composite(const Kernel&, const SingleSamples&, Range, const SingleSamples&, Range,
                                        MatrixView<float>);

}  // namespace stepwise
