#pragma once

#include "stepwise/core/matrix_view.hpp"
#include "stepwise/kernel/kernel.hpp"
#include "stepwise/kernel/samples.hpp"

namespace stepwise {

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
