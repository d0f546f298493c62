#include "solve_plan.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernel_config.hpp"
#include "stepwise/core/memory.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/theory/contrastive.hpp"

namespace stepwise {
namespace {

/// Up to this many samples the whole spectrum costs seconds, and says more.
constexpr std::int64_t whole_spectrum_samples = 2000;
/// Where a pass over K costs the same for one vector as for many, wide blocks save passes.
constexpr std::int64_t recomputed_block = 64;

/// Numbers of eight bytes that a rank holds for the Krylov method, K and the samples included.
double krylov_numbers(const SolveConfig& config, std::int64_t samples, std::int64_t features, int ranks) {
  const auto n = static_cast<double>(samples);
  const double share = n / ranks;
  const double own = share * static_cast<double>(features);
  const std::string& storage = config.kernel.storage;
  const double visitors = std::min(ranks - 1, 2) * own;  // their samples, while K is evaluated
  const double kept = storage == "double" ? 0.5 : storage == "single" ? 0.25 : 0;
  const double part = static_cast<double>(config.views.count.value_or(2) * subsample_pairs(config));
  const KrylovSizes sizes = krylov_sizes(samples, krylov_options(config));
  // Q and K Q; the block, its image, what is outside; the vectors that a product makes, one set for each thread.
  const double each = static_cast<double>(sizes.width) * (10 + omp_get_max_threads());
  const double vectors = share * (2.1 * static_cast<double>(sizes.basis) + each);
  const double inputs = storage == "double" ? own : 1.5 * own;
  const double meanwhile = storage == "double" ? std::max(visitors, vectors) : visitors + vectors;
  return kept * n * share + part * part / 2 / ranks + inputs + meanwhile;
}

double primal_numbers(const SolveConfig& config, std::int64_t samples, std::int64_t features, int ranks) {
  const auto m = static_cast<double>(features);
  return m * static_cast<double>(samples) / ranks + m * (512 + 2 * static_cast<double>(config.modes.value_or(0))) +
         m * m * (1 + contrastive_matrices(Factorisation::cholesky)) / ranks;
}

double direct_numbers(const std::string& method, const Layout& layout, std::int64_t features) {
  const double entries = static_cast<double>(layout.local_rows) * static_cast<double>(layout.local_cols);
  const double inputs = static_cast<double>(layout.local_rows + layout.local_cols) * static_cast<double>(features);
  return std::max(entries + inputs, entries * contrastive_matrices(method == "spectral" ? Factorisation::spectral
                                                                                        : Factorisation::cholesky));
}

/// A stored kernel is positive semidefinite to its own precision only, which spectral can tell and cholesky cannot.
std::string direct_method(const SolveConfig& config) {
  return config.kernel.type == "precomputed" ? "spectral" : "cholesky";
}

/// @throws CollectiveError(memory) when a rank needs more bytes than its share of the node's free memory.
void require_memory(const Communicator& comm, double needed, const std::string& what, const std::string& advice) {
  const double bytes = max(comm, needed);
  const std::int64_t ranks = max(comm, std::int64_t{ranks_on_node(comm)});
  const auto seen = available_memory();
  const std::int64_t unknown = std::numeric_limits<std::int64_t>::max();
  const std::int64_t available = min(comm, seen ? *seen / ranks : unknown);
  if (available == unknown || bytes <= static_cast<double>(available)) return;
  throw CollectiveError(ExitCode::memory,
                        fmt::format("not enough memory for {} needs {} per rank, {} is available per rank; {}", what,
                                    format_bytes(bytes), format_bytes(static_cast<double>(available)), advice));
}

/// Bytes that this rank will need at the peak.
double memory_needed(const SolveConfig& config, const std::string& method, const Layout& layout, std::int64_t features,
                     int ranks) {
  const std::int64_t samples = layout.rows.n;
  const double numbers = method == "krylov"   ? krylov_numbers(config, samples, features, ranks)
                         : method == "primal" ? primal_numbers(config, samples, features, ranks)
                                              : direct_numbers(method, layout, features);
  const double outputs =
      static_cast<double>(*config.data.test + 4 * samples) * static_cast<double>(config.modes.value_or(0)) / ranks;
  return 8 * (numbers + outputs);
}

}  // namespace

Layout kernel_layout(const ProcessGrid& grid, std::int64_t n, std::int64_t block) {
  const BlockCyclic rows{n, block, grid.shape().rows};
  const BlockCyclic cols{n, block, grid.shape().cols};
  return {rows, cols, rows.local_count(grid.row()), cols.local_count(grid.col())};
}

std::string choose_method(const SolveConfig& config, std::int64_t samples, std::int64_t features) {
  if (config.solver.method != "auto") return config.solver.method;
  if (config.kernel.storage != "double") return "krylov";
  const bool explicit_features =
      (config.kernel.type == "linear" && is_plain_kernel(config)) || config.kernel.random_features > 0;
  const double direct = direct_cost(samples, Factorisation::cholesky);
  const bool few = config.modes && samples > whole_spectrum_samples;
  const double krylov = few ? 2 * krylov_cost(samples, *config.modes) : direct;
  const bool primal = explicit_features && features < samples && config.modes.value_or(1) <= features &&
                      primal_cost(samples, features) < std::min(krylov, direct);
  return primal ? "primal" : krylov < direct ? "krylov" : direct_method(config);
}

std::string second_method(const SolveConfig& config, const std::string& method) {
  return method == "krylov" ? direct_method(config) : "krylov";
}

KrylovOptions krylov_options(const SolveConfig& config) {
  const std::int64_t modes = config.modes.value_or(1);
  KrylovOptions options{.modes = modes,
                        .tolerance = config.solver.tolerance,
                        .block = config.solver.krylov_block,
                        .seed = static_cast<std::uint64_t>(config.seed)};
  if (options.block == 0 && config.kernel.storage == "none") options.block = std::max(recomputed_block, modes / 2);
  return options;
}

std::int64_t subsample_pairs(const SolveConfig& config) {
  // Where a pass over K costs as much as its evaluation, saving a few is worth the subsample's own solve.
  constexpr std::int64_t fraction = 10;
  constexpr std::int64_t largest = 4000;
  if (config.solver.warm_start) return *config.solver.warm_start;
  const std::int64_t pairs = std::min(*config.data.pairs / fraction, largest);
  return config.kernel.storage == "none" && pairs >= 2 * config.modes.value_or(1) ? pairs : 0;
}

KrylovOptions subsample_options(const SolveConfig& config, std::int64_t samples) {
  KrylovOptions options = krylov_options(config);
  const std::int64_t block = krylov_sizes(samples, options).block;
  options.modes = std::min(std::max(options.modes, block), subsample_pairs(config));
  options.block = 0;
  options.tolerance = std::max(options.tolerance, 1e-3);
  return options;
}

void check_memory(const Communicator& comm, const SolveConfig& config, const std::string& method, const Layout& layout,
                  std::int64_t features, const std::string& purpose) {
  const std::string modes = config.modes ? fmt::format("{}", *config.modes) : "all";
  const std::string less = config.kernel.storage == "none" || !config.modes ? "" : ", or --kernel.storage none";
  const std::string storage = method == "krylov" ? fmt::format(" with --kernel.storage {}", config.kernel.storage) : "";
  require_memory(
      comm, memory_needed(config, method, layout, features, comm.size()),
      fmt::format("--data.pairs {} ({}n = {} samples), --data.test {} and --modes {}: {}--solver.method {}{}",
                  *config.data.pairs, config.views.count.value_or(2), layout.rows.n, *config.data.test, modes, purpose,
                  method, storage),
      fmt::format("use more nodes, less data{}{}", less, purpose.empty() ? "" : ", or no --solver.check"));
}

void check_map_memory(const Communicator& comm, double numbers, const std::string& what) {
  require_memory(comm, 8 * numbers, what, "ask for fewer");
}

}  // namespace stepwise
