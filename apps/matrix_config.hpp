#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "solve_config.hpp"

namespace stepwise {

/// Every setting of `stepwise kernel`.
struct KernelConfig {
  SolveConfig problem;  ///< data, views and kernel, as `stepwise solve` has them
  std::string precision = "double";
  std::optional<std::int64_t> tile;
};

/// The options bound to `config`, which must outlive them.
[[nodiscard]] std::vector<Option> kernel_command_options(KernelConfig& config);

/// Checks what one option alone cannot know, without touching any file. @throws Error(input).
void check_consistency(const KernelConfig& config);

/// Side of a tile of an N x N matrix unless asked for: some hundred milliseconds of work for a slow kernel, and for few
/// samples still some for everybody. No function of the number of ranks, so that any number can go on. Even.
[[nodiscard]] std::int64_t default_tile(const Kernel& kernel, std::int64_t samples);

/// What the entries of the matrix depend on, one setting a line; with every "auto" resolved.
[[nodiscard]] std::string entry_settings(KernelConfig config, const std::string& convention);

}  // namespace stepwise
