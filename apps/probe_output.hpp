#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "probe_config.hpp"
#include "run_config.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/dist/communicator.hpp"
#include "stepwise/theory/probe_samples.hpp"
#include "stored_model.hpp"

namespace stepwise {

/// Embeddings judged one after the other: by number of modes, or at times during training.
struct ProbeSeries {
  std::vector<RidgeProbe> ridge;
  NeighbourAccuracy neighbours;
  std::vector<double> rankme;
  std::vector<double> effective_dimension;
};

/// The kernel itself, with the accuracy on the test samples.
struct KernelBaseline {
  PenaltyPath path;
  double accuracy = 0;
};

struct ProbeResult {
  std::vector<std::int64_t> labels;  ///< distinct ones, ascending
  std::int64_t training_samples = 0;
  std::int64_t test_samples = 0;
  double chance = 0;  ///< accuracy of always predicting the class that is most frequent in training
  std::vector<double> penalties;
  ProbeSeries by_modes;  ///< at the end of training, of 1, 2, ..., d modes
  std::vector<double> label_alignment;
  std::vector<double> times;
  ProbeSeries by_time;  ///< of all modes
  std::optional<KernelBaseline> kernel;
};

/// Returns the file's size. Collective. @throws CollectiveError(io).
std::int64_t write_probe(const Communicator& comm, const ProbeConfig& config, const RunConfig& run,
                         const std::string& command, const StoredModel& model, const ProbeResult& result,
                         const Report& report);

/// What the user sees at the end.
[[nodiscard]] std::string summary(const ProbeResult& result);

}  // namespace stepwise
