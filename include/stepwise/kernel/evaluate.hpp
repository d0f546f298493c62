#pragma once

#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/core/matrix_view.hpp"
#include "stepwise/kernel/kernel.hpp"
#include "stepwise/kernel/samples.hpp"

namespace stepwise {

/// To be called before evaluate() is, with all samples or those of each rank: activations by quadrature have a largest
/// signal that they can resolve. Local. @throws Error(input) naming activation and variance.
void check_samples(const Kernel& kernel, const Samples& samples);

/// out(i, j) = k(x_i, y_j) for i in `rows` of x, j in `cols` of y; out is rows.size() x cols.size().
///
/// Inner products come from one GEMM (2 m flops per entry), distances and angles from them; pairs so close, or so
/// nearly antipodal, that this loses digits are recomputed from x - y (or x + y) themselves, so two nearly equal views
/// keep full accuracy (docs/kernels.md). The diagonal, zero vectors, collinear and antipodal pairs are exact to
/// rounding.
///
/// In single precision everything but those recomputed pairs is: errors of about 1e-6 of the largest entry, at twice
/// the speed.
///
/// Networks on images go pixel by pixel instead, from differences throughout; their samples are channel-major images of
/// shape Network::input.
///
/// Local; thread-safe. `kernel` must be valid, x and y have the same number of features.
void evaluate(const Kernel& kernel, const Samples& x, Range rows, const Samples& y, Range cols, MatrixView<double> out);
void evaluate(const Kernel& kernel, const SingleSamples& x, Range rows, const SingleSamples& y, Range cols,
              MatrixView<float> out);

/// The same by all threads of this rank, tile by tile. Local.
void evaluate_threaded(const Kernel& kernel, const Samples& x, Range rows, const Samples& y, Range cols,
                       MatrixView<double> out);

/// k(x_i, x_i) for i in `range`. Local; thread-safe.
template <class T>
[[nodiscard]] std::vector<T> diagonal(const Kernel& kernel, const BasicSamples<T>& x, Range range);

extern template std::vector<double> diagonal(const Kernel&, const Samples&, Range);
extern template std::vector<float> diagonal(const Kernel&, const SingleSamples&, Range);

}  // namespace stepwise
