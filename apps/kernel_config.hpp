#pragma once

#include <vector>

#include "solve_config.hpp"
#include "stepwise/cli/options.hpp"
#include "stepwise/data/pairs.hpp"
#include "stepwise/kernel/kernel.hpp"

namespace stepwise {

// From settings to a kernel: formulas of named kernels, normalisation, a kernel for each of two modalities.

/// --kernel.type: a name or a formula.
[[nodiscard]] Option kernel_type_option(std::string& type);

/// kernel-b.*: for every setting of the kernel its twin for view_b of --data.multimodal, "same" unless given.
[[nodiscard]] std::vector<Option> second_kernel_options(SolveConfig& config);

/// The type is one of the names alone, and not normalised or of two modalities: kernel.type says all about its kind.
[[nodiscard]] bool is_plain_kernel(const SolveConfig& config);

/// A network's kernel is among those that kernel.type names.
[[nodiscard]] bool uses_network(const SolveConfig& config);

/// The kernel for these samples, random features apart. Replaces every "auto" about a kernel that is no formula by what
/// it stands for, for both modalities. Local. @throws Error(input).
[[nodiscard]] Kernel pose_kernel(SolveConfig& config, const PairSource& pairs);

}  // namespace stepwise
