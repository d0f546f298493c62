#include "run_config.hpp"

#include <algorithm>
#include <iterator>

#include "stepwise/cli/time_limit.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

Option wall_time_option(std::string& target) {
  return {"max-walltime", "HH:MM:SS",
          "keep a checkpoint and stop, with exit code 75, before so much time has gone by; "
          "auto: what SLURM says is left, none: no limit",
          [&target](const std::string& text) {
            if (text != "auto" && text != "none" && !parse_duration(text)) {
              fail(ExitCode::input, "must be HH:MM:SS or D-HH:MM:SS, auto or none");
            }
            target = text;
          },
          [&target] { return target; }};
}

}  // namespace

void check_consistency(const RunConfig& c) {
  if (!c.checkpoint.empty() && !c.restart.empty() && c.checkpoint != c.restart) {
    fail(ExitCode::input,
         "--checkpoint {} and --restart {} are two directories: --restart goes on in its own, so leave "
         "--checkpoint out",
         c.checkpoint, c.restart);
  }
}

std::optional<double> wall_time(const RunConfig& c) {
  if (c.max_walltime == "none") return std::nullopt;
  if (c.max_walltime == "auto") return slurm_seconds_left();
  return parse_duration(c.max_walltime);
}

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

namespace {

std::vector<Option> log_options(RunConfig& c) {
  return {
      integer_option("stall-limit", "SECONDS",
                     "end the job when a rank stands still for so long; when it is stopped after 20 s; 0: never",
                     c.stall_limit, 0, 1'000'000),
      choice_option("log-level", "the least important events that are told", c.log.level,
                    {"error", "warning", "info", "debug"}),
      text_option("log-file", "FILE", "append them to FILE; the terminal gets warnings and errors only", c.log.file),
      choice_option("log-format", "text for people, or json: one event a line", c.log.format, {"text", "json"}),
      text_option("summary-json", "FILE", "write how the run ended, whichever way, to FILE", c.summary),
  };
}

void append(std::vector<Option>& options, std::vector<Option> more) {
  options.insert(options.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

std::vector<Option> run_options(RunConfig& c) {
  std::vector<Option> options{
      text_option("checkpoint", "DIR",
                  "keep in DIR, every so often, what has been done; removed when the result is written", c.checkpoint),
      text_option("restart", "DIR", "go on from the checkpoint in DIR if there is one, and keep checkpoints there",
                  c.restart),
      real_option("checkpoint-interval", "SECONDS",
                  "time between two checkpoints; more where they take more than 5 % of it", c.checkpoint_interval, 0,
                  1e9),
      wall_time_option(c.max_walltime),
  };
  append(options, log_options(c));
  options.push_back(
      flag_option("benchmark", "measure DGEMM for 0.3 s first, and compare each stage with it", c.benchmark));
  append(options, file_options(c));
  return options;
}

std::vector<Option> with_log_options(std::vector<Option> options, RunConfig& config) {
  append(options, log_options(config));
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
