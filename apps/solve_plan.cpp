#include "solve_plan.hpp"

#include <algorithm>
#include <limits>

#include "stepwise/core/memory.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/theory/contrastive.hpp"

namespace stepwise {
namespace {

/// Up to this many samples the whole spectrum costs seconds, and says more.
constexpr std::int64_t whole_spectrum_samples = 2000;
/// Where a pass over K costs the same for one vector as for many, wide blocks save passes.
constexpr std::int64_t recomputed_block = 64;

/// Bytes that this rank will need at the peak.
double memory_needed(const SolveConfig& config, const std::string& method, const Layout& layout, std::int64_t features,
                     int ranks) {
  const double entries = static_cast<double>(layout.local_rows) * static_cast<double>(layout.local_cols);
  const double share = static_cast<double>(layout.rows.n) / ranks;
  const double inputs = static_cast<double>(layout.local_rows + layout.local_cols) * static_cast<double>(features);
  const double basis = 2.5 * static_cast<double>(krylov_sizes(layout.rows.n, krylov_options(config)).basis) * share;
  double numbers = 0;
  if (config.kernel.storage == "none") {
    numbers = (ranks == 1 ? 2.0 : 3.0) * static_cast<double>(features) * share + basis;
  } else if (method == "krylov") {
    numbers = entries + std::max(basis, inputs);
  } else {
    numbers = std::max(
        entries + inputs,
        entries * contrastive_matrices(method == "spectral" ? Factorisation::spectral : Factorisation::cholesky));
  }
  const double outputs =
      static_cast<double>(*config.data.test + 4 * layout.rows.n) * static_cast<double>(config.modes) / ranks;
  return 8 * (numbers + outputs);
}

}  // namespace

Layout kernel_layout(const ProcessGrid& grid, std::int64_t n, std::int64_t block) {
  const BlockCyclic rows{n, block, grid.shape().rows};
  const BlockCyclic cols{n, block, grid.shape().cols};
  return {rows, cols, rows.local_count(grid.row()), cols.local_count(grid.col())};
}

std::string choose_method(const SolveConfig& config, std::int64_t samples) {
  if (config.solver.method != "auto") return config.solver.method;
  if (config.kernel.storage != "double") return "krylov";
  const bool krylov = samples > whole_spectrum_samples &&
                      2 * krylov_cost(samples, config.modes) < direct_cost(samples, Factorisation::cholesky);
  return krylov ? "krylov" : "cholesky";
}

KrylovOptions krylov_options(const SolveConfig& config) {
  return {.modes = config.modes,
          .tolerance = config.solver.tolerance,
          .block = config.solver.block > 0            ? config.solver.block
                   : config.kernel.storage == "none" ? std::max(recomputed_block, config.modes / 2)
                                                     : 0,
          .seed = static_cast<std::uint64_t>(config.seed)};
}

std::int64_t subsample_pairs(const SolveConfig& config) {
  // Where a pass over K costs as much as its evaluation, saving two or three is worth the subsample's own solve.
  constexpr std::int64_t fraction = 10;
  constexpr std::int64_t largest = 4000;
  if (config.solver.warm_start) return *config.solver.warm_start;
  const std::int64_t pairs = std::min(*config.data.pairs / fraction, largest);
  return config.kernel.storage == "none" && pairs >= 2 * config.modes ? pairs : 0;
}

KrylovOptions subsample_options(const SolveConfig& config, std::int64_t samples) {
  KrylovOptions options = krylov_options(config);
  const std::int64_t block = krylov_sizes(samples, options).block;
  options.modes = std::min(std::max(config.modes, block), subsample_pairs(config));
  options.block = 0;
  options.tolerance = std::max(options.tolerance, 1e-3);
  return options;
}

void check_memory(const Communicator& comm, const SolveConfig& config, const std::string& method, const Layout& layout,
                  std::int64_t features) {
  const double bytes = max(comm, memory_needed(config, method, layout, features, comm.size()));
  const std::int64_t ranks = max(comm, std::int64_t{ranks_on_node(comm)});
  const auto seen = available_memory();
  const std::int64_t unknown = std::numeric_limits<std::int64_t>::max();
  const std::int64_t available = min(comm, seen ? *seen / ranks : unknown);
  if (available != unknown && bytes > static_cast<double>(available)) {
    throw CollectiveError(
        ExitCode::memory,
        fmt::format("not enough memory for --data.pairs {} (2n = {} samples), --data.test {} and --modes {}: "
                    "--solver.method {} with --kernel.storage {} needs {} per rank, {} is available per rank; use more "
                    "nodes, less data{}",
                    *config.data.pairs, layout.rows.n, *config.data.test, config.modes, method, config.kernel.storage,
                    format_bytes(bytes), format_bytes(static_cast<double>(available)),
                    config.kernel.storage == "none" ? "" : ", or --kernel.storage none"));
  }
}

}  // namespace stepwise
