#include "solve_plan.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernel_config.hpp"
#include "stepwise/core/memory.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/theory/cost.hpp"

namespace stepwise {
namespace {

/// Up to this many samples the whole spectrum costs seconds, and says more.
constexpr std::int64_t whole_spectrum_samples = 2000;
/// Where a pass over K costs the same for one vector as for many, wide blocks save passes.
constexpr std::int64_t recomputed_block = 64;

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

}  // namespace

Layout kernel_layout(const ProcessGrid& grid, std::int64_t n, std::int64_t block) {
  const BlockCyclic rows{n, block, grid.shape().rows};
  const BlockCyclic cols{n, block, grid.shape().cols};
  return {rows, cols, rows.local_count(grid.row()), cols.local_count(grid.col())};
}

bool has_features(const SolveConfig& config) {
  return (config.kernel.type == "linear" && is_plain_kernel(config)) || config.kernel.random_features > 0;
}

std::string choose_method(const SolveConfig& config, std::int64_t samples, std::int64_t features) {
  if (config.solver.method != "auto") return config.solver.method;
  if (config.kernel.storage != "double") return "krylov";
  const double direct = direct_cost(samples, Factorisation::cholesky);
  const bool few = config.modes && samples > whole_spectrum_samples;
  const double krylov = few ? 2 * krylov_cost(samples, *config.modes) : direct;
  const bool primal = has_features(config) && features < samples && config.modes.value_or(1) <= features &&
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

Job job_of(const SolveConfig& config, const std::string& method, const ProblemSize& size, GridShape grid) {
  Job job{.method = method,
          .storage = config.kernel.storage,
          .samples = size.samples,
          .inputs = size.inputs,
          .features = size.features,
          .modes = config.modes.value_or(0),
          .tests = config.data.test.value_or(0),
          .grid = grid,
          .block = config.solver.block_size,
          .entry_cost = size.entry_cost,
          .tile_numbers = size.tile_numbers,
          .map_numbers = size.map_numbers};
  job.block = fitting_block(size.samples, std::max(grid.rows, grid.cols), job.block, size.views);
  KrylovOptions options = krylov_options(config);
  BlockVector start;
  if (const std::int64_t pairs = subsample_pairs(config); pairs > 0) {
    const KrylovOptions part = subsample_options(config, size.samples);
    job.subsample = size.views * pairs;
    job.subsample_modes = part.modes;
    job.subsample_krylov = krylov_sizes(job.subsample, part);
    start.width = part.modes;
    options.start = &start;
  }
  job.krylov = krylov_sizes(size.samples, options);
  return job;
}

void check_memory(const Communicator& comm, const SolveConfig& config, const std::string& method, const Layout& layout,
                  std::int64_t features, const std::string& purpose, const std::string& avoided_by) {
  const std::string modes = config.modes ? fmt::format("{}", *config.modes) : "all";
  const std::string less = config.kernel.storage == "none" || !config.modes ? "" : ", or --kernel.storage none";
  const std::string storage = method == "krylov" ? fmt::format(" with --kernel.storage {}", config.kernel.storage) : "";
  const ProblemSize size{
      .samples = layout.rows.n, .inputs = features, .features = features, .views = config.views.count.value_or(2)};
  Machine machine{.ranks_per_node = comm.size(), .threads = omp_get_max_threads()};
  // What this process has already is no longer among what is available.
  machine.process_bytes = std::max(0.0, process_bytes(machine.threads) - static_cast<double>(peak_memory()));
  const GridShape grid{static_cast<int>(layout.rows.procs), static_cast<int>(layout.cols.procs)};
  require_memory(
      comm, estimate(job_of(config, method, size, grid), machine).peak(),
      fmt::format("--data.pairs {} ({}n = {} samples), --data.test {} and --modes {}: {}--solver.method {}{}",
                  *config.data.pairs, size.views, layout.rows.n, *config.data.test, modes, purpose, method, storage),
      fmt::format("use more nodes, less data{}{}", less, purpose.empty() ? "" : ", or " + avoided_by));
}

void check_map_memory(const Communicator& comm, double numbers, const std::string& what) {
  require_memory(comm, 8 * numbers, what, "ask for fewer");
}

}  // namespace stepwise
