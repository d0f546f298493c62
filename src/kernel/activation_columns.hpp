#pragma once

#include "kernel/hermite.hpp"
#include "kernel/pair_column.hpp"
#include "stepwise/kernel/activation.hpp"

// Activations on pairs of signals, for vector units; compiled with -ffast-math like columns.hpp.

namespace stepwise {

/// Maps `pairs` to those behind the activation, in place: c <- T(a, b, c), ntk <- ntk E[phi'(u) phi'(v)], for `count`
/// at most column_chunk pairs. Not for ScalarActivation.
void activate(const Activation& activation, std::int64_t count, const PairLengths<double>& lengths,
              PairColumn<double>& pairs);
void activate(const Activation& activation, std::int64_t count, const PairLengths<float>& lengths,
              PairColumn<float>& pairs);

/// The same for a ScalarActivation, with the Hermite coefficients of rows [first, first + count) and column `col`.
void activate(const HermiteTable<double>& rows, std::int64_t first, const HermiteTable<double>& cols, std::int64_t col,
              std::int64_t count, const PairLengths<double>& lengths, PairColumn<double>& pairs);
void activate(const HermiteTable<float>& rows, std::int64_t first, const HermiteTable<float>& cols, std::int64_t col,
              std::int64_t count, const PairLengths<float>& lengths, PairColumn<float>& pairs);

}  // namespace stepwise
