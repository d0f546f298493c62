#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "problem.hpp"
#include "stepwise/sim/input_span.hpp"
#include "stepwise/sim/optimiser.hpp"
#include "stepwise/sim/tangent_kernel.hpp"
#include "training_run.hpp"

namespace stepwise {

/// Samples that a network sees, as columns: this data rank's.
struct NetworkSamples {
  std::int64_t inputs = 0;
  std::vector<double> data;

  [[nodiscard]] MatrixView<const double> view() const noexcept {
    return {data.data(), inputs, inputs == 0 ? 0 : std::ssize(data) / inputs, inputs};
  }
};

/// A network in training.
struct NetworkRun {
  TrainingGrid grid;
  Pairing pairing = {};
  std::int64_t samples = 0;  ///< N
  PairLoss loss = {};
  Optimiser optimiser = {};
  std::int64_t batch = 0;  ///< pairs in a minibatch; 0: all
  std::uint64_t seed = 0;
  NetworkSamples own = {};                   ///< training samples of this data rank
  std::optional<NetworkSamples> every = {};  ///< all of them, for minibatches
  NetworkTraining training = {};
  std::vector<double> start = {};  ///< parameters at the start
  SampleMatrix start_kernel = {};  ///< tangent kernel at the start
  std::optional<double> start_loss = {};
  NetworkPass seen = {};            ///< of measurements
  std::vector<double> unused = {};  ///< gradient of measurements
};

/// How many eigenvalues of the hidden covariance are recorded.
[[nodiscard]] std::int64_t hidden_values(const NetworkRun& run);

/// Outputs of this rank's share of all samples, of which x are the data rank's. Collective.
[[nodiscard]] BlockVector outputs_of(NetworkRun& run, MatrixView<const double> x, std::int64_t samples,
                                     std::int64_t group);

/// Trains, measures, saves; `recorded` has the spectra of covariances and the way of the weights. It keeps `run` alive.
[[nodiscard]] Simulation network_simulation(const std::shared_ptr<NetworkRun>& run);

}  // namespace stepwise
