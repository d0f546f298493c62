#pragma once

#include <string>

#include "stepwise/io/checkpoint_file.hpp"
#include "stepwise/theory/contrastive.hpp"

namespace stepwise {

/// Modes, and the method that found them.
struct FoundModes {
  std::string method;
  ContrastiveModes modes;
};

// Matrices that are to be saved are spread over `grid`. Without notes and stages, which are about the run that found
// them. Collective. @throws CollectiveError as the files.
void write_modes(CheckpointWriter& file, const std::string& method, const ContrastiveModes& modes);
[[nodiscard]] FoundModes read_modes(CheckpointReader& file, const std::shared_ptr<const ProcessGrid>& grid,
                                    std::int64_t block);

}  // namespace stepwise
