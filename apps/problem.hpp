#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "solve_config.hpp"
#include "solve_plan.hpp"
#include "stepwise/dist/communicator.hpp"
#include "stepwise/dist/pairing.hpp"
#include "stepwise/kernel/random_features.hpp"
#include "stepwise/kernel/samples.hpp"
#include "stepwise/theory/centring.hpp"

namespace stepwise {

/// What samples go through before the kernel sees them.
using FeatureMap = std::variant<RandomFeatures, TangentFeatures>;

/// What is given: positive pairs, a kernel, and where its matrix would live.
struct Problem {
  const Communicator& comm;
  const SolveConfig& config;
  const PairSource& pairs;
  std::optional<FeatureMap> map;
  Kernel kernel;
  std::string convention;  ///< the kernel in words
  std::shared_ptr<const ProcessGrid> grid;
  Layout layout;
  std::int64_t features = 0;  ///< of a sample as the kernel sees it
  std::int64_t samples = 0;
  Pairing pairing;
  std::optional<Centring> centring;
  std::optional<double> stored_trace = {};  ///< of a precomputed kernel, which may not be positive semidefinite
};

/// Checks what only the data can tell, and lays K out. Collective. @throws CollectiveError(input).
[[nodiscard]] Problem pose(const Communicator& comm, SolveConfig& config, const PairSource& pairs);

/// A checksum of the training samples as they are read, 16 hexadecimal digits; "" for a stored kernel, which has none.
/// Call before standardise_pairs. Collective. Cost: reads all samples once.
[[nodiscard]] std::string inputs_checksum(const Communicator& comm, const PairSource& pairs);

/// Mean and deviation over all pairs, each rank looking at its share of them. Collective.
void standardise_pairs(const Communicator& comm, PairSource& pairs);

// Samples ready for the kernel. Local but for load_share.

/// The training samples with the given numbers.
[[nodiscard]] Samples load_samples(const Problem& problem, const std::vector<std::int64_t>& numbers);
/// Training samples [begin, end).
[[nodiscard]] Samples load_range(const Problem& problem, Range range);
/// The training samples of this rank's share. Collective.
[[nodiscard]] Samples load_share(const Problem& problem);
[[nodiscard]] Samples load_tests(const Problem& problem, Range range);
/// Test samples of another source, of the same shape.
[[nodiscard]] Samples load_tests(const Problem& problem, const PairSource& source, Range range);

}  // namespace stepwise
