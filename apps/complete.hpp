#pragma once

#include <string>

#include "matrix_config.hpp"
#include "simulate_config.hpp"
#include "solve_config.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// What the modes depend on, with every "auto" resolved: what a checkpoint must agree in with the run that goes on from
/// it (kept_settings.hpp). `inputs` is a checksum of the samples.
[[nodiscard]] std::string problem_settings(SolveConfig config, const std::string& method, const std::string& convention,
                                           const std::string& inputs);

/// The same of a simulation: what all that is trained and recorded depends on.
[[nodiscard]] std::string training_settings(SimulateConfig config, const std::string& convention,
                                            const std::string& inputs);

/// Whether --output is the result that these settings and samples would give. Collective.
[[nodiscard]] bool is_complete(const Communicator& comm, SolveConfig config, const std::string& inputs);
[[nodiscard]] bool is_complete(const Communicator& comm, SimulateConfig config, const std::string& inputs);

/// Where a file of `stepwise kernel` has the settings that its entries depend on (entry_settings()).
constexpr const char* entries_attribute = "entry_settings";

/// Whether --output is the kernel matrix whose entries depend on `entries`. Collective.
[[nodiscard]] bool is_complete_kernel(const Communicator& comm, const KernelConfig& config, const std::string& entries);

}  // namespace stepwise
