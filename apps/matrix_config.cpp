#include "matrix_config.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "kernel_config.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/kernel/tile_shape.hpp"

namespace stepwise {

std::vector<Option> kernel_command_options(KernelConfig& c) {
  constexpr std::int64_t largest_tile = 65'536;
  return joined(
      {output_options(c.problem),
       {choice_option("precision", "what is stored of each entry", c.precision, {"double", "single"})},
       data_options(c.problem),
       kernel_options(c.problem),
       {auto_option(
           "kernel.tile", "SIZE",
           "rows and columns evaluated and stored at once, even; auto: 256, fewer for few samples or slow kernels",
           c.tile, 2, largest_tile)},
       second_kernel_options(c.problem)});
}

void check_consistency(const KernelConfig& c) {
  if (c.problem.kernel.type == "precomputed") {
    fail(ExitCode::input, "--kernel.type precomputed is what stepwise kernel makes: choose another");
  }
  check_consistency(c.problem);
  if (c.problem.kernel.centre) {
    fail(ExitCode::input,
         "--kernel.centre belongs to stepwise solve, which needs the means for new samples: leave it out");
  }
  if (c.tile.value_or(0) % 2 != 0) fail(ExitCode::input, "--kernel.tile is {}, must be even", *c.tile);
}

std::int64_t default_tile(const Kernel& kernel, std::int64_t samples) {
  const std::int64_t largest = std::min<std::int64_t>(tile_shape(kernel).rows, 256);
  constexpr std::int64_t tiles_a_side = 8;
  return std::clamp<std::int64_t>(samples / tiles_a_side / 2 * 2, 2, largest);
}

std::string entry_settings(KernelConfig config, const std::string& convention) {
  config.problem.output.clear();
  config.problem.force = false;
  std::string text = config_text(kernel_command_options(config));
  text += fmt::format("\n[resolved]\nkernel = {}\n", convention);
  struct stat status {};
  if (stat(config.problem.data.path.c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
    text += fmt::format("data file = {} bytes, changed at {}\n", status.st_size, status.st_mtime);
  }
  return text;
}

}  // namespace stepwise
