#pragma once

#include <memory>
#include <optional>

#include "simulate_config.hpp"
#include "stepwise/sim/dynamics.hpp"
#include "training_run.hpp"

namespace stepwise {

/// A state that moves, and how.
struct DynamicsRun {
  Dynamics dynamics;
  bool shared = false;  ///< every rank holds the same state; else its columns are dealt out
  Training training;

  [[nodiscard]] MatrixView<const double> state() const noexcept {
    return {training.x.data(), dynamics.outputs, dynamics.columns, dynamics.outputs};
  }
};

/// A simulation that goes on by descent at this rate, else by flow, and that can be saved and loaded; what it measures
/// is left open. It keeps `run` alive.
[[nodiscard]] Simulation simulation_of(const std::shared_ptr<DynamicsRun>& run, const SimulateConfig& config,
                                       const std::optional<double>& rate);

/// What to do where it diverges; `stable` is the largest stable rate, and `formula` what it is.
[[nodiscard]] std::string divergence_advice(const SimulateConfig& config, const std::optional<double>& rate,
                                            double stable, const std::string& formula);

}  // namespace stepwise
