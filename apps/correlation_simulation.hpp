#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dynamics_run.hpp"
#include "label_probe.hpp"
#include "prediction.hpp"
#include "problem.hpp"
#include "simulate_config.hpp"
#include "stepwise/sim/dynamics.hpp"
#include "training_kernel.hpp"
#include "training_run.hpp"
#include "training_start.hpp"

namespace stepwise {

/// A model whose loss depends on C alone, in training.
struct CorrelationRun {
  MatrixModel model;
  Objective objective;
  DynamicsRun moving;
};

/// What --training.loss calls `name`.
[[nodiscard]] Objective objective_of(const SimulateConfig& config, const std::string& name);

/// From X(0), this rank's part of the state. The simulation keeps `run` alive.
[[nodiscard]] std::shared_ptr<CorrelationRun> begin_run(MatrixModel model, std::vector<double> start,
                                                        const Objective& objective);

/// Trained by descent at this rate, else by flow; in a group of its own where it is one of several.
[[nodiscard]] Simulation correlation_simulation(const std::shared_ptr<CorrelationRun>& run, const std::string& loss,
                                                const SimulateConfig& config, const std::optional<double>& rate);

/// Embeddings of samples that the model is not trained on, at its state.
struct NewSamples {
  std::string name;  ///< test, test_a, test_b
  std::function<BlockVector(const CorrelationRun&)> embed;
  BlockVector final_embedding;  ///< in closed form
};

/// W x on test samples, or f_0(x) + sum_i A_i k(x_i, x) where the kernel trains.
[[nodiscard]] std::function<BlockVector(const CorrelationRun&)> linear_embedder(const Problem& problem, Range tests);
[[nodiscard]] std::function<BlockVector(const CorrelationRun&)> kernel_embedder(const Problem& problem,
                                                                                const TrainingKernel& kernel,
                                                                                const TrainingStart& start,
                                                                                const BlockVector& means, Range tests,
                                                                                std::size_t modality);

/// Lets a simulation record f(x, t) of the training samples, of which the final embedding is given, and of new ones,
/// what `prediction` says of them and how well labels can be read off them, if these are there.
void record_embeddings(Simulation& simulation, const std::shared_ptr<CorrelationRun>& run, const Problem& problem,
                       const BlockVector& final_embedding, const std::vector<NewSamples>& tests,
                       const Prediction* prediction, const LabelProbe* probe);

}  // namespace stepwise
