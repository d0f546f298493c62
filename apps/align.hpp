#pragma once

#include <optional>
#include <string>
#include <vector>

#include "run_config.hpp"
#include "stepwise/cli/options.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// Every setting of `stepwise align`.
struct AlignConfig {
  std::string first;
  std::string second;
  std::string first_order = "given";
  std::string second_order = "given";
  std::string kernel;               ///< a stored kernel matrix; empty: none
  std::optional<double> tolerance;  ///< nothing: by the precision of the file
  std::string output;               ///< empty: the table alone
  bool force = false;
};

/// The options bound to `config`, which must outlive them.
[[nodiscard]] std::vector<Option> align_options(AlignConfig& config);

/// Checks what one option alone cannot know, without touching any file. @throws Error(input).
void check_consistency(const AlignConfig& config);

/// How much two subspaces of the samples have in common, for a person to read and in a file. Collective. `command` is
/// the command line, for the record.
void align_embeddings(const Communicator& comm, AlignConfig config, const RunConfig& run, const std::string& command,
                      Report& report);

}  // namespace stepwise
