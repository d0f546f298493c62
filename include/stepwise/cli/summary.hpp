#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stepwise/cli/json.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/cli/run_main.hpp"

namespace stepwise {

// What programs read of a run: parts of log events, and the summary.

/// Program, commit, build, libraries, hosts, ranks, threads, binding, seed.
[[nodiscard]] Json::Object provenance_json(const RunInfo& info);

[[nodiscard]] Json::Array stages_json(const std::vector<StageRow>& stages, std::optional<double> dgemm_rate);

/// {"min", "mean", "max", "max_rank"}
[[nodiscard]] Json::Object spread_json(const Spread& spread);

/// When and how a run was started.
struct Beginning {
  std::string command;  ///< the command line
  std::string time;     ///< UTC
  Stopwatch watch;
};

/// All about a run that has ended. `report` is missing where it ended before its work began; `memory` is that of all
/// ranks, or of the one that ends alone. Local.
[[nodiscard]] Json::Object summary_json(const Beginning& beginning, const Ending& ending, const Report* report,
                                        const Spread& memory);

}  // namespace stepwise
