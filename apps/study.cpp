#include "study.hpp"

#include <fmt/format.h>

#include "find_modes.hpp"
#include "run_attributes.hpp"
#include "stepwise/cli/options.hpp"
#include "stepwise/core/memory.hpp"

namespace stepwise {

FoundModes modes_of(const Study& study) {
  const Problem& problem = *study.problem;
  if (auto found = study.checkpoint.modes(problem.grid, problem.layout.rows.block)) return std::move(*found);
  FoundModes found{study.method, {}};
  found.modes = find_modes(problem, found.method, study.report, &study.checkpoint);
  study.checkpoint.keep_if_due(found.method, found.modes);
  return found;
}

Record begin_record(const Study& study, std::int64_t outputs, std::vector<FixedDataset> datasets) {
  Attributes attributes = run_attributes(
      study.comm,
      {"stepwise-simulation", study.command, config_text(simulate_options(study.config)), study.config.problem.seed});
  attributes.emplace_back("model", study.config.model);
  if (study.problem != nullptr) attributes.emplace_back("kernel_convention", study.problem->convention);
  if (!study.inputs_checksum.empty()) attributes.emplace_back("inputs_checksum", study.inputs_checksum);
  return {study.comm,
          study.config.problem.output,
          study.replace,
          {std::move(datasets), {}, {{"/", std::move(attributes)}}},
          outputs};
}

void conclude(const Study& study, std::int64_t size, const std::string& text) {
  const std::string& output = study.config.problem.output;
  study.checkpoint.remove();
  study.report.moved(static_cast<double>(size));
  study.report.result("output", output);
  study.report.result("model", study.config.model);
  const std::string timing = study.report.timing_table();
  if (study.comm.rank() != 0) return;
  fmt::print("{}\n{}\n{} written, {}; to draw it: scripts/plot.py {}\n", text, timing, output,
             format_bytes(static_cast<double>(size)), output);
}

}  // namespace stepwise
