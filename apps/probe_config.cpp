#include "probe_config.hpp"

#include <cmath>

#include "stepwise/core/error.hpp"

namespace stepwise {

std::vector<Option> probe_options(ProbeConfig& c) {
  constexpr std::int64_t most = 1'000'000;
  constexpr double smallest = 1e-12;
  constexpr double largest = 1e12;
  return {
      text_option("model", "FILE", "result of stepwise solve with labels and test samples", c.model),
      text_option("training-path", "PATH", "the model's training data, where they are not as its --data.path says",
                  c.training_path),
      text_option("output", "FILE", "the HDF5 file of accuracies", c.output),
      flag_option("force", "replace an existing file", c.force),
      integer_option("probe.folds", "F", "ridge: parts that take turns in being left out, pair i being in part i mod F",
                     c.probe.folds, 2, most),
      integer_option("probe.penalties", "R", "ridge: penalties to choose from", c.probe.penalties, 1, 1000),
      real_option("probe.least-penalty", "P", "ridge: the smallest, times the mean eigenvalue of the Gram matrix",
                  c.probe.least_penalty, smallest, largest),
      real_option("probe.most-penalty", "P", "ridge: the largest, times the mean eigenvalue of the Gram matrix",
                  c.probe.most_penalty, smallest, largest),
      integer_option("probe.neighbours", "K", "how many nearest neighbours vote", c.probe.neighbours, 1, most),
      integer_option("probe.times", "T", "times during training at which embeddings are judged; 0: at its end alone",
                     c.probe.times, 0, most),
      auto_flag_option("probe.kernel-ridge",
                       "the model's kernel itself as a baseline, cost N^3; auto: up to 4000 training samples",
                       c.probe.kernel_ridge),
  };
}

void check_consistency(const ProbeConfig& c) {
  if (c.model.empty()) fail(ExitCode::input, "--model is missing: name a result of stepwise solve");
  if (c.output.empty()) fail(ExitCode::input, "--output is missing: name the file to write, for example probe.h5");
  if (c.probe.least_penalty > c.probe.most_penalty) {
    fail(ExitCode::input, "--probe.least-penalty {} is above --probe.most-penalty {}", c.probe.least_penalty,
         c.probe.most_penalty);
  }
  if (c.probe.times == 1) fail(ExitCode::input, "--probe.times is 1, must be 0, or 2 and more: the first one is 0");
}

std::vector<double> relative_penalties(const ProbeConfig& c) {
  std::vector<double> penalties{c.probe.least_penalty};
  for (std::int64_t r = 1; r < c.probe.penalties; ++r) {
    const double part = static_cast<double>(r) / static_cast<double>(c.probe.penalties - 1);
    penalties.push_back(c.probe.least_penalty * std::pow(c.probe.most_penalty / c.probe.least_penalty, part));
  }
  return penalties;
}

}  // namespace stepwise
