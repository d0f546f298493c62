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
