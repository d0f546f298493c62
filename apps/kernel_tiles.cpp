#include "kernel_tiles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "kept_settings.hpp"
#include "stepwise/core/memory.hpp"
#include "stepwise/core/stop.hpp"
#include "stepwise/data/npy.hpp"
#include "stepwise/data/tile_name.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/shared_counter.hpp"
#include "stepwise/kernel/evaluate.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

Range rows_of(std::int64_t number, std::int64_t tile, std::int64_t end) {
  return {number * tile, std::min((number + 1) * tile, end)};
}

Range row_range(const TilePlan& plan, const TileJob& job) {
  return rows_of(job.i, plan.tile, job.test ? plan.tests : plan.samples);
}

Range col_range(const TilePlan& plan, const TileJob& job) {
  return rows_of(job.j, plan.tile, plan.samples);
}

std::vector<TileJob> all_tiles(const TilePlan& plan) {
  const std::int64_t side = ceil_div(plan.samples, plan.tile);
  std::vector<TileJob> jobs;
  for (std::int64_t i = 0; i < side; ++i) {
    for (std::int64_t j = i; j < side; ++j) jobs.push_back({false, i, j});
  }
  for (std::int64_t i = 0; i < ceil_div(plan.tests, plan.tile); ++i) {
    for (std::int64_t j = 0; j < side; ++j) jobs.push_back({true, i, j});
  }
  return jobs;
}

bool is_good(const TilePlan& plan, const TileJob& job) {
  const std::string path = tile_path(plan, job);
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return false;
  try {
    const NpyHeader header = read_npy_header(path);
    return header.type == (plan.single ? "<f4" : "<f8") && !header.fortran_order &&
           header.shape == std::vector{row_range(plan, job).size(), col_range(plan, job).size()} &&
           is_undamaged_npy(path);
  } catch (const Error&) {
    return false;  // damaged, so it is made anew
  }
}

/// Samples of whole rows of tiles, as many as memory allows: the tiles of a row have these in common, those of
/// neighbouring rows most.
class SampleCache {
 public:
  SampleCache(const Problem& problem, const TilePlan& plan) : problem_(problem), plan_(plan) {
    constexpr std::int64_t share_of_free = 4;
    const double block = 8.0 * static_cast<double>(plan.tile * (problem.features + 1));
    const auto free = static_cast<double>(available_memory().value_or(std::int64_t{1} << 32));
    const double budget = free / static_cast<double>(share_of_free * ranks_on_node(problem.comm));
    most_ = static_cast<std::size_t>(std::clamp(budget / block, 2.0, 1e9));
  }

  /// Training samples [i tile, ...) in the order of files.
  const Samples& train(std::int64_t i) {
    return kept({false, i}, [&] {
      const Range rows = rows_of(i, plan_.tile, plan_.samples);
      const std::int64_t views = problem_.pairing.views;
      const std::int64_t pairs = plan_.samples / views;
      std::vector<std::int64_t> numbers;
      for (std::int64_t row = rows.begin; row < rows.end; ++row) numbers.push_back(views * (row % pairs) + row / pairs);
      return load_samples(problem_, numbers);
    });
  }
  const Samples& test(std::int64_t i) {
    return kept({true, i}, [&] { return load_tests(problem_, rows_of(i, plan_.tile, plan_.tests)); });
  }

 private:
  struct Entry {
    Samples samples;
    std::int64_t used = 0;
  };
  template <class Load>
  const Samples& kept(const std::pair<bool, std::int64_t>& key, const Load& load) {
    auto found = entries_.find(key);
    if (found == entries_.end()) {
      if (entries_.size() >= most_) {
        entries_.erase(std::min_element(entries_.begin(), entries_.end(),
                                        [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
      }
      found = entries_.emplace(key, Entry{load(), 0}).first;
    }
    found->second.used = ++clock_;
    return found->second.samples;
  }

  const Problem& problem_;
  const TilePlan& plan_;
  std::size_t most_ = 2;
  std::int64_t clock_ = 0;
  std::map<std::pair<bool, std::int64_t>, Entry> entries_;
};

void make_tile(const Problem& problem, const TilePlan& plan, const TileJob& job, SampleCache& cache,
               std::vector<double>& entries) {
  const Samples& x = job.test ? cache.test(job.i) : cache.train(job.i);
  const Samples& y = cache.train(job.j);
  entries.resize(static_cast<std::size_t>(x.count * y.count));
  const MatrixView<double> tile{entries.data(), x.count, y.count, x.count};
  evaluate_threaded(problem.kernel, x, {0, x.count}, y, {0, y.count}, tile);
  for (const double entry : entries) {
    if (std::isfinite(plan.single ? static_cast<double>(static_cast<float>(entry)) : entry)) continue;
    fail(ExitCode::input,
         "{}: an entry of the kernel is {}{}: use smaller variances, degrees or offsets, or rescaled data",
         tile_path(plan, job), entry, plan.single ? ", beyond single precision" : "");
  }
  // Symmetric to the bit.
  for (std::int64_t j = 0; j < tile.cols && !job.test && job.i == job.j; ++j) {
    for (std::int64_t i = 0; i < j; ++i) tile(i, j) = tile(j, i);
  }
  write_npy(tile_path(plan, job), tile, plan.single);
}

}  // namespace

std::string tile_path(const TilePlan& plan, const TileJob& job) {
  return fmt::format("{}/{}", plan.directory, tile_file_name(job.test ? "test" : "tile", job.i, job.j));
}

std::int64_t tile_count(const TilePlan& plan) {
  const std::int64_t side = ceil_div(plan.samples, plan.tile);
  return side * (side + 1) / 2 + side * ceil_div(plan.tests, plan.tile);
}

void check_space(const Communicator& comm, const TilePlan& plan) {
  attempt_on_root(comm, [&] {
    const fs::path directory = fs::absolute(plan.directory).parent_path();
    std::error_code error;
    const fs::space_info space = fs::space(directory, error);
    if (error) return;  // what cannot be told is found out by writing
    const auto samples = static_cast<double>(plan.samples);
    const auto tests = static_cast<double>(plan.tests);
    // The whole matrix, and beside it the tiles, unless an earlier run has left some: those already take their room.
    const double tiles = fs::exists(plan.directory, error) ? 0 : 0.5 * samples * samples + tests * samples;
    const double needed = (plan.single ? 4 : 8) * (samples * samples + tests * samples + tiles);
    if (needed <= static_cast<double>(space.available)) return;
    fail(ExitCode::io, "{}: there are {} free, and the kernel of {} samples needs {}: fewer pairs, or another --output",
         directory.string(), format_bytes(static_cast<double>(space.available)), plan.samples, format_bytes(needed));
  });
}

std::vector<std::string> open_tile_directory(const Communicator& comm, const TilePlan& plan,
                                             const std::string& settings) {
  auto made = claim_directory(comm, plan.directory, settings);
  attempt_on_root(comm, [&] {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(plan.directory)) {
      if (is_left_over(entry.path().filename().string())) fs::remove(entry.path(), error);
    }
  });
  return made;
}

std::vector<TileJob> missing_tiles(const Communicator& comm, const TilePlan& plan) {
  const std::vector<TileJob> jobs = all_tiles(plan);
  std::vector<std::int64_t> missing(jobs.size());  // each rank looks at some
  attempt(comm, [&] {
    for (auto t = static_cast<std::size_t>(comm.rank()); t < jobs.size(); t += static_cast<std::size_t>(comm.size())) {
      missing[t] = is_good(plan, jobs[t]) ? 0 : 1;
    }
  });
  sum(comm, missing);
  std::vector<TileJob> left;
  for (std::size_t t = 0; t < jobs.size(); ++t) {
    if (missing[t] != 0) left.push_back(jobs[t]);
  }
  return left;
}

void make_tiles(const Problem& problem, const TilePlan& plan, const std::vector<TileJob>& jobs,
                const Progress& progress) {
  const auto count = static_cast<std::int64_t>(jobs.size());
  SampleCache cache(problem, plan);
  SharedCounter counter(problem.comm);
  std::optional<Error> problem_here;
  try {
    std::vector<double> entries;
    for (std::int64_t t = counter.take(); t < count; t = counter.take()) {
      if (stop_requested()) break;
      make_tile(problem, plan, jobs[static_cast<std::size_t>(t)], cache, entries);
      if (progress) progress(static_cast<double>(t + 1) / static_cast<double>(count));
    }
  } catch (...) {
    problem_here = current_problem();
    (void)counter.take(count);  // leaves the others nothing to do
  }
  agree(problem.comm, problem_here);
  stop_together(problem.comm);
}

void remove_tiles(const TilePlan& plan, const std::vector<std::string>& made) {
  std::error_code ignored;
  for (const TileJob& job : all_tiles(plan)) fs::remove(tile_path(plan, job), ignored);
  release_directory(plan.directory, made);
}

}  // namespace stepwise
