#include "run_config.hpp"

#include <algorithm>
#include <iterator>

namespace stepwise {

namespace {

std::vector<Option> file_options(RunConfig& c) {
  constexpr std::int64_t largest_alignment = std::int64_t{1} << 30;
  std::vector<Option> options{
      integer_option("output.compression", "LEVEL", "deflate large datasets, 1 (fast) to 9 (small); 0: not",
                     c.compression, 0, 9),
      integer_option("output.alignment", "BYTES",
                     "begin datasets of that size and more at multiples of it, such as a Lustre stripe; 0: anywhere",
                     c.alignment, 0, largest_alignment),
      text_option("output.mpi-hints", "KEY=VALUE,...",
                  "MPI-IO hints for the result file, such as striping_factor=8,striping_unit=4194304", c.mpi_hints),
  };
  const auto also = [](Option& option, auto check) {
    option.set = [set = option.set, check](const std::string& value) {
      set(value);
      check(value);
    };
  };
  also(options[0], [](const std::string& level) {
    if (level != "0") require_parallel_compression();
  });
  also(options[2], [](const std::string& hints) { (void)parse_hints(hints); });
  return options;
}

}  // namespace

FileLayout file_layout(const RunConfig& c) {
  return {c.compression, c.alignment, parse_hints(c.mpi_hints)};
}

std::vector<Option> run_options(RunConfig& c) {
  std::vector<Option> options{
      text_option("checkpoint", "DIR", "directory for checkpoints: solve --restart DIR goes on from them",
                  c.checkpoint),
      text_option("restart", "DIR",
                  "go on from the checkpoint in DIR, from the beginning if there is none; keep "
                  "checkpoints there",
                  c.restart),
      real_option("checkpoint-interval", "SECONDS", "time between two checkpoints at least", c.checkpoint_interval, 0,
                  1e9),
  };
  auto more = file_options(c);
  options.insert(options.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  return options;
}

std::vector<Option> with_run_options(std::vector<Option> options, RunConfig& config) {
  const auto end_of_general = std::find_if(options.begin(), options.end(),
                                           [](const Option& o) { return o.name.find('.') != std::string::npos; });
  auto more = run_options(config);
  options.insert(end_of_general, std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  return options;
}

}  // namespace stepwise
