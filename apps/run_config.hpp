#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stepwise/cli/log.hpp"
#include "stepwise/cli/options.hpp"
#include "stepwise/io/file_layout.hpp"

namespace stepwise {

/// How a run is carried out, whatever it computes: nothing here changes a result.
struct RunConfig {
  std::string checkpoint;             ///< directory; empty: none are kept
  std::string restart;                ///< directory to go on from; empty: a fresh start
  double checkpoint_interval = 600;   ///< seconds between two checkpoints at least
  std::string max_walltime = "auto";  ///< HH:MM:SS; auto: what SLURM says is left; none
  std::int64_t stall_limit = 300;     ///< seconds that a rank may stand still; 0: for ever
  LogSettings log;
  std::string summary;           ///< file; empty: none
  bool benchmark = false;        ///< measure DGEMM first
  std::int64_t compression = 0;  ///< of large datasets
  std::int64_t alignment = 0;    ///< bytes
  std::string mpi_hints;         ///< key=value,key=value
};

/// What the result file shall be like on disk.
[[nodiscard]] FileLayout file_layout(const RunConfig& config);

/// Checks what one option alone cannot know. @throws Error(input).
void check_consistency(const RunConfig& config);

/// The options bound to `config`, which must outlive them.
[[nodiscard]] std::vector<Option> run_options(RunConfig& config);

/// Seconds that the run may take; nothing: no limit. Local; asks SLURM where that is wanted.
[[nodiscard]] std::optional<double> wall_time(const RunConfig& config);

/// A command's options with these behind its general ones.
[[nodiscard]] std::vector<Option> with_run_options(std::vector<Option> options, RunConfig& config);

/// A command's options, none of them in a section, with those of logs alone, for commands that write no result.
[[nodiscard]] std::vector<Option> with_log_options(std::vector<Option> options, RunConfig& config);

}  // namespace stepwise
