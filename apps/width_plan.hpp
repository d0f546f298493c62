#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "stepwise/data/pairs.hpp"
#include "stepwise/sim/width_study.hpp"

namespace stepwise {

/// Settings of --model widths.
struct WidthSettings {
  std::string widths = "64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384";
  std::int64_t seeds = 4;
  std::string activations = "tanh, relu";
  std::string outputs = "1, 10";
  std::string losses = "plain";
  std::string scalings = "ntk";
  std::int64_t reference = 64;
  double alpha = 1;
  bool linearised = true;
};

/// One kind of network and training, to be looked at as a function of the width.
struct WidthVariant {
  std::string activation;
  std::int64_t outputs = 1;
  std::string loss;
  std::string scaling;
};

/// "tanh, 1 output, plain, ntk".
[[nodiscard]] std::string describe(const WidthVariant& variant);

/// All that is to be trained: every variant at every width from every seed.
struct WidthPlan {
  std::vector<WidthVariant> variants;
  std::vector<std::int64_t> widths;  ///< ascending
  std::int64_t seeds = 0;
  std::int64_t reference = 0;  ///< M*

  [[nodiscard]] std::size_t runs() const noexcept {
    return variants.size() * widths.size() * static_cast<std::size_t>(seeds);
  }
  /// Place of a training in arrays over (variant, width, seed).
  [[nodiscard]] std::size_t place(std::size_t variant, std::size_t width, std::int64_t seed) const noexcept {
    return (variant * widths.size() + width) * static_cast<std::size_t>(seeds) + static_cast<std::size_t>(seed);
  }
};

/// Pure. @throws Error(input) naming the setting that makes no sense.
[[nodiscard]] WidthPlan plan_widths(const WidthSettings& settings);

/// What is common to all trainings of a plan.
struct WidthTask {
  std::int64_t inputs = 0;
  double alpha = 1;
  double rate = 0;
  std::int64_t steps = 0;
  std::int64_t seed = 0;  ///< of the first; seed + 1 of the next, ...
  bool linearised = true;
  std::map<std::string, StudyLoss> losses = {};  ///< by their names in the plan
};

/// The training at `place`. @throws Error(input) for an activation that is not known.
[[nodiscard]] WidthRun make_run(const WidthPlan& plan, const WidthTask& task, std::size_t place);

/// -1 for the lower half of the labels that occur, 1 for the upper half, for every sample. Local.
/// @throws Error(input) where there are no labels, or only one.
[[nodiscard]] std::vector<double> sides_of(const PairSource& pairs);

}  // namespace stepwise
