#pragma once

#include <cstdint>

// Element-wise work on one column of a tile, written for vector units. These source files are compiled with -ffast-math
// so that the compiler calls the vector versions of exp, sqrt and atan2: nothing here may rely on NaN or Inf.

namespace stepwise {

/// values[i] <- exp(-values[i] / (2 l^2)), values being squared distances.
void gaussian_column(std::int64_t count, double length_scale, double* values);
void gaussian_column(std::int64_t count, double length_scale, float* values);

/// values[i] <- exp(-sqrt(values[i]) / l).
void laplace_column(std::int64_t count, double length_scale, double* values);
void laplace_column(std::int64_t count, double length_scale, float* values);

}  // namespace stepwise
