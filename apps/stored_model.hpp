#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "problem.hpp"
#include "solve_config.hpp"
#include "stepwise/dist/communicator.hpp"
#include "stepwise/io/input_file.hpp"
#include "stepwise/theory/embedding.hpp"

namespace stepwise {

/// What a result file says about the run that wrote it.
struct StoredModel {
  std::string path;
  SolveConfig config;             ///< the distribution apart
  std::string kernel_convention;  ///< "" where it is not known
  std::string sign_convention;
  std::string inputs_checksum;  ///< "" where there is none
  std::int64_t samples = 0;
  std::int64_t modes = 0;
};

/// Collective. @throws CollectiveError(input) when the file is no result, has no modes, or settings that this program
/// does not know.
[[nodiscard]] StoredModel read_model(const Communicator& comm, InputFile& file, const std::string& path);

/// For a model with a kernel matrix that stepwise kernel has stored: the data, views and kernel that the matrix was
/// made of, which new samples need. Other models stay as they are. Collective. @throws CollectiveError(input).
void look_behind_stored_kernel(const Communicator& comm, StoredModel& model);

/// The model's training pairs, as they were: --training-path `moved_to` unless empty, the stored standardisation.
/// Collective. @throws CollectiveError(input) when they are missing or others.
[[nodiscard]] PairSource open_training_pairs(const Communicator& comm, InputFile& file, StoredModel& model,
                                             const std::string& moved_to);

/// w_ij = s_j a_ij with s_j = gamma_j^{-1/2}, or s_j(t) at a time during training. Collective.
[[nodiscard]] EmbeddingWeights stored_weights(const Problem& problem, InputFile& file, const StoredModel& model,
                                              const std::optional<double>& time);

}  // namespace stepwise
