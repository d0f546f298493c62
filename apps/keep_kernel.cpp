#include "keep_kernel.hpp"

#include <fmt/format.h>
#include <omp.h>

#include "kernel_tiles.hpp"
#include "machine.hpp"
#include "matrix_config.hpp"
#include "stepwise/data/stored_matrix.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

/// How long all ranks need for half of the N x N entries.
double evaluation_seconds(const Problem& problem) {
  const auto n = static_cast<double>(problem.samples);
  return entry_seconds(problem) * n * n / 2 / (static_cast<double>(problem.comm.size()) * omp_get_max_threads());
}

}  // namespace

std::optional<KeptKernel> keep_kernel(const Problem& problem, Checkpoint& checkpoint, Report& report) {
  if (problem.stored_trace) return std::nullopt;  // it is on disk already
  const auto directory = checkpoint.tiles([&] { return evaluation_seconds(problem); });
  if (!directory) return std::nullopt;
  const TilePlan plan{*directory, problem.samples, 0, default_tile(problem.kernel, problem.samples), false};
  (void)open_tile_directory(problem.comm, plan, fmt::format("tile = {}\n", plan.tile));
  const std::vector<TileJob> jobs = missing_tiles(problem.comm, plan);
  if (std::ssize(jobs) < tile_count(plan)) {
    report.note(fmt::format("going on from {}: {} of {} tiles of the kernel matrix are there", *directory,
                            tile_count(plan) - std::ssize(jobs), tile_count(plan)));
  }
  report.stage("kernel tiles", 0, [&](const Progress& progress) { make_tiles(problem, plan, jobs, progress); });
  auto rows = attempt(problem.comm, [&] {
    IndexPairs pairs;
    pairs.train = std::make_shared<const StoredMatrix>(open_kernel_matrix(*directory, problem.pairing.views));
    pairs.pairs = problem.samples / problem.pairing.views;
    pairs.views = problem.pairing.views;
    return std::make_unique<const PairSource>(std::move(pairs));
  });
  const PrecomputedKernel kernel{std::get<IndexPairs>(*rows).train, nullptr};
  const PairSource& pairs = *rows;
  return KeptKernel{std::move(rows),
                    {problem.comm, problem.config, pairs, std::nullopt, kernel, problem.convention, problem.grid,
                     problem.layout, 1, problem.samples, problem.pairing, problem.centring}};
}

}  // namespace stepwise
