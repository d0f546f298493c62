#pragma once

#include "stepwise/core/matrix_view.hpp"
#include "stepwise/kernel/kernel.hpp"
#include "stepwise/kernel/samples.hpp"

namespace stepwise {

/// out(i, j) = sum over terms of (left parts of x_i and y_j multiplied) (right parts multiplied): for every term one or
/// two GEMMs and a Hadamard product. Local. Memory: two buffers of at most 1 MiB.
template <class T>
void evaluate_layerwise(const LayerwiseKernel& kernel, const BasicSamples<T>& x, Range rows, const BasicSamples<T>& y,
                        Range cols, MatrixView<T> out);

}  // namespace stepwise
