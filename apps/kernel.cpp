#include "kernel.hpp"

#include <fmt/format.h>

#include <numeric>

#include "complete.hpp"
#include "kernel_tiles.hpp"
#include "open_data.hpp"
#include "run_attributes.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/cli/time_limit.hpp"
#include "stepwise/core/memory.hpp"
#include "stepwise/data/stored_matrix.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/io/result_file.hpp"

namespace stepwise {
namespace {

constexpr const char* kernel_units = "units of k";

std::vector<std::int64_t> numbers_to(std::int64_t count) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  return numbers;
}

/// The matrix that lies in tiles, rows of a tile at a time.
MatrixBands bands_of(const StoredMatrix& matrix, const TilePlan& plan) {
  return {matrix.rows, matrix.cols, plan.tile, plan.single, [&matrix](Range rows, std::span<double> out) {
            std::vector<double> by_columns(out.size());
            const MatrixView<double> part{by_columns.data(), rows.size(), matrix.cols, rows.size()};
            matrix.read(rows, {0, matrix.cols}, part);
            auto to = out.begin();
            for (std::int64_t i = 0; i < part.rows; ++i) {
              for (std::int64_t j = 0; j < part.cols; ++j) *to++ = part(i, j);
            }
          }};
}

/// Collective. Returns the file's size in bytes.
std::int64_t gather_tiles(const Problem& problem, KernelConfig& config, const TilePlan& plan, const FileLayout& layout,
                          const std::string& command, const Report& report) {
  const Communicator& comm = problem.comm;
  const auto [train, test] = attempt(comm, [&] {
    return std::pair(open_kernel_matrix(plan.directory, problem.pairing.views),
                     open_test_kernel(plan.directory, "", plan.samples));
  });
  ResultFile file(comm, config.problem.output, config.problem.force, layout);
  Attributes attributes = run_attributes(
      comm, {"stepwise-kernel", command, config_text(kernel_command_options(config)), config.problem.seed});
  attributes.emplace_back("kernel_convention", problem.convention);
  attributes.emplace_back("views", problem.pairing.views);
  attributes.emplace_back(entries_attribute, entry_settings(config, problem.convention));
  file.attributes("/", attributes);
  const auto scale = [&](const std::string& name, const std::string& description, std::int64_t count) {
    file.write_scale({"/" + name, "1", description, {}}, name, numbers_to(count));
  };
  scale("sample", "number of a sample in the combined data set: v n + i is view v of pair i", plan.samples);
  scale("other_sample", "the same numbers, for columns", plan.samples);
  file.write_bands({"/kernel/train", kernel_units, "k(x_i, x_j) of all training samples", {"/sample", "/other_sample"}},
                   bands_of(train, plan));
  if (test) {
    scale("test_sample", "number of a test sample", plan.tests);
    file.write_bands({"/kernel/test",
                      kernel_units,
                      "k(x_i, x_j) of test sample i and training sample j",
                      {"/test_sample", "/other_sample"}},
                     bands_of(*test, plan));
  }
  write_performance(file, comm, report);
  return file.commit();
}

/// Every run keeps its tiles, and goes on from those it finds.
std::string tile_directory(const RunConfig& run, const std::string& output) {
  if (!run.restart.empty()) return run.restart;
  return run.checkpoint.empty() ? output + ".tiles" : run.checkpoint;
}

}  // namespace

void compute_kernel(const Communicator& comm, KernelConfig config, const RunConfig& run, const std::string& command,
                    Report& report) {
  SolveConfig& settings = config.problem;
  settings.modes = 1;  // none are computed; one is no more than any data have
  const TimeLimit limit(comm, comm.rank() == 0 ? wall_time(run) : std::nullopt);
  const auto check = [&] { check_output(comm, settings.output, settings.force, {settings.data.path}); };
  if (run.restart.empty()) check();
  PairSource pairs =
      report.stage("open data", 0, [&](const auto&) { return attempt(comm, [&] { return open_pairs(settings); }); });
  const Problem problem = pose(comm, settings, pairs);
  config.tile = config.tile.value_or(default_tile(problem.kernel, problem.samples));
  const TilePlan plan{tile_directory(run, settings.output), problem.samples, test_count(pairs), *config.tile,
                      config.precision == "single"};
  const std::string entries = entry_settings(config, problem.convention);
  if (!run.restart.empty()) {
    if (is_complete_kernel(comm, config, entries)) {
      report.note(fmt::format("{} is there already, with these settings: nothing to do", settings.output));
      const auto made = open_tile_directory(comm, plan, entries);
      if (comm.rank() == 0) remove_tiles(plan, made);
      return;
    }
    check();
  }
  check_space(comm, plan);
  const auto made = open_tile_directory(comm, plan, entries);
  report.start({fmt::format("kernel matrix, {} samples of {} numbers, seed {}", problem.samples, problem.features,
                            settings.seed),
                problem.convention});
  const std::vector<TileJob> jobs = missing_tiles(comm, plan);
  const std::int64_t all = tile_count(plan);
  if (std::ssize(jobs) < all) {
    report.note(fmt::format("{}: {} of {} tiles are there, going on with the others", plan.directory,
                            all - std::ssize(jobs), all));
  }
  if (!jobs.empty()) {
    if (*settings.data.standardize) {
      report.stage("standardise", 0, [&](const auto&) { standardise_pairs(comm, pairs); });
    }
    try {
      report.stage("kernel tiles", 0, [&](const Progress& progress) { make_tiles(problem, plan, jobs, progress); });
    } catch (const CollectiveError& error) {
      // Of bad input nothing is worth keeping: the next run has other data or settings.
      if (error.code() == ExitCode::input && comm.rank() == 0) remove_tiles(plan, made);
      if (error.code() != ExitCode::stopped) throw;
      throw CollectiveError(ExitCode::stopped, fmt::format("by {}; {} has the tiles made so far. Go on with:\n  {}",
                                                           limit.cause(), plan.directory, command));
    }
  }
  const std::int64_t size = report.stage(
      "write", 0, [&](const auto&) { return gather_tiles(problem, config, plan, file_layout(run), command, report); });
  report.moved(static_cast<double>(size));
  report.result("output", settings.output);
  if (comm.rank() == 0) remove_tiles(plan, made);
  const std::string timing = report.timing_table();
  if (comm.rank() == 0) {
    fmt::print("{}\n{} written, {}\n", timing, settings.output, format_bytes(static_cast<double>(size)));
  }
}

}  // namespace stepwise
