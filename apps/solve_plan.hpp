#pragma once

#include <cstdint>
#include <string>

#include "solve_config.hpp"
#include "stepwise/dist/block_cyclic.hpp"
#include "stepwise/solve/krylov.hpp"
#include "stepwise/theory/estimate.hpp"

namespace stepwise {

// What is decided before the work starts, from the configuration and the layout.

/// Block-cyclic layout of the N x N kernel matrix.
struct Layout {
  BlockCyclic rows;
  BlockCyclic cols;
  std::int64_t local_rows = 0;  ///< this rank's
  std::int64_t local_cols = 0;
};

[[nodiscard]] Layout kernel_layout(const ProcessGrid& grid, std::int64_t samples, std::int64_t block);

/// Whether samples have explicit features with k(x, y) = x.y, which primal needs.
[[nodiscard]] bool has_features(const SolveConfig& config);

/// krylov, cholesky, spectral or primal, for samples of `features` numbers as the kernel sees them. Not a function of
/// the number of ranks: results must not depend on it.
[[nodiscard]] std::string choose_method(const SolveConfig& config, std::int64_t samples, std::int64_t features);

/// What --solver.check solves the problem by.
[[nodiscard]] std::string second_method(const SolveConfig& config, const std::string& method);

[[nodiscard]] KrylovOptions krylov_options(const SolveConfig& config);
/// How many pairs a warm start takes for its subsample; 0: none.
[[nodiscard]] std::int64_t subsample_pairs(const SolveConfig& config);
/// For the modes of that subsample.
[[nodiscard]] KrylovOptions subsample_options(const SolveConfig& config, std::int64_t samples);

/// What of a problem its cost depends on, beside the settings.
struct ProblemSize {
  std::int64_t samples = 0;
  std::int64_t inputs = 0;    ///< numbers in a sample as it is read
  std::int64_t features = 0;  ///< and as the kernel sees it
  std::int64_t views = 2;
  double entry_cost = 0;  ///< of one entry of K in flops of a large matrix product
  double tile_numbers = 512 * 1024;
  double map_numbers = 0;  ///< weights of random features or finite networks
};

/// The run as the model sees it, with the settings' --data.pairs standing for size.samples.
[[nodiscard]] Job job_of(const SolveConfig& config, const std::string& method, const ProblemSize& size, GridShape grid);

/// Refuses at once what would die of memory after hours; `purpose` is what the method is for, and what
/// avoids that. Collective.
/// @throws CollectiveError(memory) with the bytes that a rank needs and has.
void check_memory(const Communicator& comm, const SolveConfig& config, const std::string& method, const Layout& layout,
                  std::int64_t features, const std::string& purpose = "",
                  const std::string& avoided_by = "no --solver.check");
/// The same for `numbers` of eight bytes that every rank holds; `what` names the options. Collective.
void check_map_memory(const Communicator& comm, double numbers, const std::string& what);

}  // namespace stepwise
