#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "label_probe.hpp"
#include "network_simulation.hpp"
#include "prediction.hpp"

namespace stepwise {

/// What is recorded of a network beside its numbers: tangent kernel and embeddings of all samples at the snapshots.
struct NetworkPictures {
  const Problem& problem;
  std::shared_ptr<NetworkRun> run;
  std::vector<NetworkSamples> tests;  ///< this data rank's, group by group
  BlockVector final_embedding;        ///< of the training samples, in closed form
  const Prediction* prediction = nullptr;
  std::optional<LabelProbe> probe;
};

/// The scales of the tangent kernel's part that is recorded.
[[nodiscard]] std::vector<FixedDataset> picture_scales(const Problem& problem);

/// Lets a simulation record them.
void record_pictures(Simulation& simulation, const std::shared_ptr<const NetworkPictures>& pictures);

}  // namespace stepwise
