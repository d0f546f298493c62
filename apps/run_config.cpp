#include "run_config.hpp"

#include <algorithm>
#include <iterator>

namespace stepwise {

std::vector<Option> run_options(RunConfig& c) {
  return {
      text_option("checkpoint", "DIR", "directory for checkpoints: solve --restart DIR goes on from them",
                  c.checkpoint),
      text_option("restart", "DIR",
                  "go on from the checkpoint in DIR, from the beginning if there is none; keep "
                  "checkpoints there",
                  c.restart),
      real_option("checkpoint-interval", "SECONDS", "time between two checkpoints at least", c.checkpoint_interval, 0,
                  1e9),
      choice_option("log-level", "the least important events that are told", c.log.level,
                    {"error", "warning", "info", "debug"}),
      text_option("log-file", "FILE", "append them to FILE; the terminal gets warnings and errors only", c.log.file),
      choice_option("log-format", "text for people, or json: one event a line", c.log.format, {"text", "json"}),
      text_option("summary-json", "FILE", "write how the run ended, whichever way, to FILE", c.summary),
      flag_option("benchmark", "measure DGEMM for 0.3 s first, and compare each stage with it", c.benchmark),
  };
}

std::vector<Option> with_run_options(std::vector<Option> options, RunConfig& config) {
  const auto end_of_general = std::find_if(options.begin(), options.end(),
                                           [](const Option& o) { return o.name.find('.') != std::string::npos; });
  auto more = run_options(config);
  options.insert(end_of_general, std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  return options;
}

}  // namespace stepwise
