#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stepwise/cli/options.hpp"

namespace stepwise {

/// Every setting of `stepwise probe`.
struct ProbeConfig {
  std::string model;
  std::string training_path;  ///< empty: where the model says
  std::string output;
  bool force = false;
  struct {
    std::int64_t folds = 5;
    std::int64_t penalties = 9;
    double least_penalty = 1e-6;
    double most_penalty = 1e2;
    std::int64_t neighbours = 10;
    std::int64_t times = 20;
    std::optional<bool> kernel_ridge;
  } probe;
};

/// The options bound to `config`, which must outlive them.
[[nodiscard]] std::vector<Option> probe_options(ProbeConfig& config);

/// Checks what one option alone cannot know, without touching any file. @throws Error(input).
void check_consistency(const ProbeConfig& config);

/// Ascending, evenly spaced in their logarithm.
[[nodiscard]] std::vector<double> relative_penalties(const ProbeConfig& config);

}  // namespace stepwise
