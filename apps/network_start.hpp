#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "network_simulation.hpp"
#include "study.hpp"

namespace stepwise {

/// The network that the settings describe, not yet drawn. Local. @throws Error(input) for another kernel.
[[nodiscard]] FullyConnected network_of(const Study& study);

/// Refuses what cannot fit: parameters, their start, the gradient and velocity; samples; the tangent kernel.
/// Collective. @throws CollectiveError(memory).
void check_network_memory(const Study& study, const FullyConnected& of);

/// Where there are fewer samples than numbers in one, the network sees no more than their span. Collective.
[[nodiscard]] std::optional<InputSpan> common_span(const Study& study, const FullyConnected& of);

/// The network as it is drawn, and the training samples. Without optimiser and tangent kernel. Collective.
/// @throws CollectiveError(input) for a batch too small for the loss, or a grid that does not fit the ranks.
[[nodiscard]] std::shared_ptr<NetworkRun> begin_network(const Study& study, const FullyConnected& of,
                                                        const std::optional<InputSpan>& span);

/// This data rank's test samples, group by group. Collective.
[[nodiscard]] std::vector<NetworkSamples> network_tests(const Problem& problem, const TrainingGrid& grid,
                                                        const std::optional<InputSpan>& span);

}  // namespace stepwise
