#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "run_config.hpp"
#include "stepwise/cli/options.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// Every setting of `stepwise verify`.
struct VerifyConfig {
  std::string file;
  std::string training_path;                  ///< empty: where the file says
  std::optional<std::int64_t> samples = 256;  ///< to rebuild the kernel for; nothing: all
};

/// The options bound to `config`, which must outlive them.
[[nodiscard]] std::vector<Option> verify_options(VerifyConfig& config);

/// Checks what one option alone cannot know, without touching any file. @throws Error(input).
void check_consistency(const VerifyConfig& config);

/// Says what holds of a result file, with numbers. Collective. @throws CollectiveError(failed) when something does not.
void verify_result(const Communicator& comm, const VerifyConfig& config, Report& report);

}  // namespace stepwise
