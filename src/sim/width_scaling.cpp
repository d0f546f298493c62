#include "stepwise/sim/width_scaling.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "stepwise/core/error.hpp"

namespace stepwise {

const std::vector<WidthScaling>& width_scalings() {
  static const std::vector<WidthScaling> all{{"ntk", -0.5, 0, 0, false},
                                             {"mean-field", -1, 1, 1, false},
                                             {"default", -0.5, 1, 0, false},
                                             {"sym-default", -0.5, 0.5, 0.5, false},
                                             {"corrected-mean-field", -1, 1, 1, true}};
  return all;
}

const WidthScaling& width_scaling(const std::string& name) {
  std::vector<std::string> names;
  for (const WidthScaling& scaling : width_scalings()) {
    if (scaling.name == name) return scaling;
    names.push_back(scaling.name);
  }
  fail(ExitCode::input, "there is no scaling '{}': must be among {}", name, fmt::join(names, ", "));
}

void scale(TrainedNetwork& network, const WidthScaling& scaling, double ratio) {
  const bool biased = std::any_of(network.layers.begin(), network.layers.end(),
                                  [](const TrainedLayer& layer) { return layer.biases.size() > 0; });
  if (network.layers.size() != 2 || biased) {
    fail(ExitCode::input,
         "scalings with the width are of networks with one hidden layer and no biases, this one has {} hidden layers{}",
         network.layers.size() - 1, biased ? " and biases" : "");
  }
  // The weights that are kept are sigma a; moving a at some rate moves them at sigma^2 that.
  const double factor = std::pow(ratio, scaling.output + 0.5);
  TrainedLayer& readout = network.layers.back();
  for (std::int64_t i = readout.weights.begin; i < readout.weights.end; ++i) {
    network.parameters[static_cast<std::size_t>(i)] *= factor;
  }
  readout.rate *= factor * factor * std::pow(ratio, scaling.readout_rate);
  network.layers.front().rate *= std::pow(ratio, scaling.hidden_rate);
}

double correction(const WidthScaling& scaling, double ratio) {
  return scaling.corrected ? std::pow(ratio, -0.5 - scaling.output) - 1 : 0;
}

InitialExponents initial_exponents(const WidthScaling& scaling) {
  const double rate = std::max(scaling.readout_rate, scaling.hidden_rate);
  return {scaling.corrected ? 0 : scaling.output + 0.5, 2 * scaling.output + 1 + rate};
}

}  // namespace stepwise
