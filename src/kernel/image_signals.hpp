#pragma once

#include <vector>

#include "kernel/image_column.hpp"
#include "kernel/image_plan.hpp"

namespace stepwise {

/// Mean squares over the channels of lanes<T> images: pixels x lanes<T>.
template <class T>
[[nodiscard]] std::vector<T> input_variances(const std::vector<T>& inputs, std::int64_t channels, std::int64_t pixels);

/// Lengths of the signals before each layer of a stage and behind the last; `variances` are those that enter, and leave
/// as those behind.
template <class T>
[[nodiscard]] std::vector<std::vector<T>> signal_lengths(const ImageStage& stage, std::vector<T>& variances);

}  // namespace stepwise
