#pragma once

#include <span>

#include "stepwise/core/matrix_view.hpp"
#include "stepwise/kernel/kernel.hpp"

namespace stepwise {

/// out(i, j) = entry of the stored kernel for samples rows[i] and cols[j], their numbers as PrecomputedKernel says.
/// Thread-safe. Runs of consecutive numbers are read at once. @throws Error(io) when reading fails; (internal) for two
/// test samples. Memory: 16 bytes an entry.
template <class T>
void look_up(const PrecomputedKernel& kernel, std::span<const T> rows, std::span<const T> cols, MatrixView<T> out);

}  // namespace stepwise
