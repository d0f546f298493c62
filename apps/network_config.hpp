#pragma once

#include <string>
#include <vector>

#include "simulate_config.hpp"
#include "stepwise/sim/optimiser.hpp"

namespace stepwise {

// What --model network alone has to be told.

/// The options bound to `config`, which must outlive them.
[[nodiscard]] std::vector<Option> network_options(SimulateConfig& config);

/// What --training.loss may name.
[[nodiscard]] std::vector<std::string> network_losses();

/// The same settings for the infinitely wide network, which has no --kernel.width in NTK parameterisation.
[[nodiscard]] SolveConfig infinite_counterpart(SolveConfig config);

/// @throws Error(input) for settings that a network cannot be trained with.
void check_network(const SimulateConfig& config);

/// @throws Error(input) where another model is given what is of networks.
void refuse_network_options(const SimulateConfig& config);

/// @throws Error(input) for a setting of a loss that is not among `losses`.
void refuse_options_of_other_losses(const SimulateConfig& config, const std::vector<std::string>& losses);

[[nodiscard]] PairLoss pair_loss_of(const SimulateConfig& config);
/// The one of that name, with the settings of losses.
[[nodiscard]] PairLoss pair_loss_of(const SimulateConfig& config, const std::string& name);
[[nodiscard]] Optimiser optimiser_of(const SimulateConfig& config, double rate);

}  // namespace stepwise
