#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "problem.hpp"
#include "stepwise/core/timing.hpp"

namespace stepwise {

/// How the kernel matrix, samples in the order of files (all first views, then all second ones), is cut into tiles, and
/// the directory that they are kept in until all are there.
struct TilePlan {
  std::string directory;
  std::int64_t samples = 0;
  std::int64_t tests = 0;
  std::int64_t tile = 0;
  bool single = false;
};

/// Rows and columns [i tile, ...) of the upper triangle, or of the test kernel.
struct TileJob {
  bool test = false;
  std::int64_t i = 0;
  std::int64_t j = 0;
};

[[nodiscard]] std::string tile_path(const TilePlan& plan, const TileJob& job);

[[nodiscard]] std::int64_t tile_count(const TilePlan& plan);

/// Refuses what the disk has no room for, tiles and result together. Collective. @throws CollectiveError(io).
void check_space(const Communicator& comm, const TilePlan& plan);

/// Makes the directory, or finds the one that an earlier run has left. `settings` is kept there in settings.ini, and
/// must be what it was. Returns, on rank 0, the directories made (kept_settings.hpp). Collective.
/// @throws CollectiveError(input) naming the first setting that differs; (io).
std::vector<std::string> open_tile_directory(const Communicator& comm, const TilePlan& plan,
                                             const std::string& settings);

/// The tiles that are not there yet, those of another size or checksum than they should have among them. Collective.
[[nodiscard]] std::vector<TileJob> missing_tiles(const Communicator& comm, const TilePlan& plan);

/// Evaluates and stores `jobs`, each by the rank that is free next, threads sharing a tile. Collective.
/// @throws CollectiveError, the tiles made so far being kept. Memory per rank: a tile, and samples up to a quarter of
/// what is free.
void make_tiles(const Problem& problem, const TilePlan& plan, const std::vector<TileJob>& jobs,
                const Progress& progress);

/// Removes the directory with all that open_tile_directory and make_tiles put there. Local; what cannot be removed
/// stays.
void remove_tiles(const TilePlan& plan, const std::vector<std::string>& made);

}  // namespace stepwise
