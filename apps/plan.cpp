#include "plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "checkpoint.hpp"
#include "complete.hpp"
#include "open_data.hpp"
#include "solve.hpp"
#include "solve_plan.hpp"
#include "stepwise/core/memory.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/io/result_file.hpp"
#include "stepwise/kernel/tile_shape.hpp"

namespace stepwise {
namespace {

constexpr double run_measurement = 0.02;  // seconds; a run of a second must not notice
constexpr double plan_measurement = 0.3;

/// One way to do the work.
struct Way {
  std::string method;
  std::string storage;
  Machine machine;
  GridShape grid = {};
  std::int64_t block = 0;
  Estimate estimate = {};
  std::int64_t largest = 0;  ///< samples that fit
  bool fits = false;
};

std::string name_of(const Way& way) {
  return way.method == "krylov" ? "krylov, " + way.storage : way.method;
}

ImageShape parse_shape(const std::string& text) {
  std::vector<std::int64_t> extents;
  const char* next = text.data();
  const char* end = next + text.size();
  while (extents.size() < 3) {
    std::int64_t extent = 0;
    const auto [stop, error] = std::from_chars(next, end, extent);
    if (error != std::errc() || extent < 1 || extent > 1'000'000'000 || (stop != end && *stop != 'x')) break;
    extents.push_back(extent);
    if (stop == end && extents.size() == 1) return {1, 1, extent};
    if (stop == end && extents.size() == 3) return {extents[0], extents[1], extents[2]};
    next = stop + 1;
  }
  fail(ExitCode::input, "--sample-shape is '{}', must be a number of features, or channels x height x width as 3x32x32",
       text);
}

/// The data's sizes. Where the data are not there, but the user says how many and of which shape, nothing is opened.
/// Local. @throws Error(input).
PairSource describe_data(SolveConfig& config, const std::string& shape) {
  if (shape != "auto") {
    if (!config.data.pairs)
      fail(ExitCode::input,
           "--sample-shape {} stands for data that are not there: how many "
           "would there be? --data.pairs is missing",
           shape);
    ArrayPairs pairs{.path = "",
                     .shape = parse_shape(shape),
                     .pairs = *config.data.pairs,
                     .tests = config.data.test.value_or(0),
                     .standardisation = {},
                     .views = config.views.count.value_or(2)};
    config.data.test = pairs.tests;
    config.views.count = pairs.views;
    config.data.standardize = config.data.standardize.value_or(false);
    config.views.crop = 0;
    return pairs;
  }
  if (const auto set = image_set_called(config.data.source); set && config.data.pairs) {
    return draw_pairs(config, usual_shape(*set));
  }
  try {
    return open_pairs(config);
  } catch (const Error& error) {
    fail(error.code(), "{}; to plan without the data, give --data.pairs and --sample-shape", error.what());
  }
}

ProblemSize size_of(const Problem& problem, double entry_cost) {
  const TileShape shape = tile_shape(problem.kernel);
  ProblemSize size{.samples = problem.samples,
                   .inputs = sample_shape(problem.pairs).size(),
                   .features = problem.features,
                   .views = problem.pairing.views,
                   .entry_cost = entry_cost,
                   .tile_numbers = static_cast<double>(shape.rows * std::max(shape.rows, shape.cols))};
  if (const auto* random = problem.map ? std::get_if<RandomFeatures>(&*problem.map) : nullptr) {
    for (const auto& layer : random->weights) size.map_numbers += static_cast<double>(layer.size());
  }
  return size;
}

Way consider(const SolveConfig& config, const std::string& method, const std::string& storage, ProblemSize size,
             const Machine& machine) {
  SolveConfig own = config;
  own.kernel.storage = storage;
  Way way{.method = method, .storage = storage, .machine = machine};
  way.grid = grid_shape(own, static_cast<int>(machine.ranks()));
  const auto of = [&](std::int64_t samples) {
    size.samples = samples;
    own.data.pairs = samples / size.views;
    return estimate(job_of(own, method, size, way.grid), machine);
  };
  const std::int64_t samples = size.samples;
  way.largest = largest_samples(of, machine.memory_per_rank(), size.views);
  way.estimate = of(samples);
  way.block = fitting_block(samples, std::max(way.grid.rows, way.grid.cols), own.solver.block_size, size.views);
  way.fits = way.estimate.peak() <= machine.memory_per_rank();
  return way;
}

/// Less time is better; but first it must fit, or need less of the memory there is.
bool better(const Way& a, const Way& b) {
  const auto rank = [](const Way& way) {
    const double filling = way.estimate.peak() / way.machine.memory_per_rank();
    return std::pair(way.fits ? 0 : std::round(10 * filling), way.estimate.seconds());
  };
  return rank(a) < rank(b);
}

std::string amount(double x, const char* unit) {
  constexpr std::array<const char*, 7> prefixes{"", "k", "M", "G", "T", "P", "E"};
  std::size_t i = 0;
  while (x >= 1000 && i + 1 < prefixes.size()) {
    x /= 1000;
    ++i;
  }
  return x == 0 ? "" : fmt::format("{:.3g} {}{}", x, prefixes[i], unit);
}

std::string bytes_or_nothing(double bytes) {
  return bytes == 0 ? "" : format_bytes(bytes);
}

std::string layout_text(const Way& way) {
  const Machine& m = way.machine;
  return fmt::format("{} rank{} x {} thread{}, grid {}x{}, blocks of {}", m.ranks(), m.ranks() == 1 ? "" : "s",
                     m.threads, m.threads == 1 ? "" : "s", way.grid.rows, way.grid.cols, way.block);
}

/// Stage | memory | flops | sent | I/O | time, then the arrays at the peak.
std::string details(const Way& way) {
  std::string text = fmt::format("{}: {}\n", name_of(way), layout_text(way));
  text += fmt::format("  {:<26}{:>13}{:>13}{:>13}{:>12}{:>12}\n", "stage", "memory/rank", "flops", "sent/rank", "I/O",
                      "time");
  const Estimate& all = way.estimate;
  for (const Phase& phase : all.phases) {
    text += fmt::format("  {:<26}{:>13}{:>13}{:>13}{:>12}{:>12}\n", phase.name, bytes_or_nothing(phase.bytes()),
                        amount(phase.flops, "flop"), bytes_or_nothing(phase.sent), bytes_or_nothing(phase.io),
                        time_text(phase.seconds));
  }
  text += fmt::format("  peak {} per rank, in '{}': process {}", format_bytes(all.peak()), all.largest().name,
                      format_bytes(all.process_bytes));
  for (const Array& array : all.largest().arrays) text += fmt::format(", {} {}", array.name, format_bytes(array.bytes));
  return text + "\n";
}

std::string machine_text(const Machine& m) {
  return fmt::format(
      "machine: {} node{} of {} cores with {:.1f} GFLOP/s each, {} of memory at {:.0f} GB/s; network "
      "{:.3g} GB/s, {:.2g} us; disk {:.3g} GB/s\n",
      m.nodes, m.nodes == 1 ? "" : "s", m.ranks_per_node * m.threads, m.flops_per_core / 1e9, format_bytes(m.memory),
      m.memory_bandwidth / 1e9, m.network_bandwidth / 1e9, 1e6 * m.network_latency, m.disk_bandwidth / 1e9);
}

std::string problem_text(const Problem& problem, const SolveConfig& config, const ProblemSize& size, double speed) {
  return fmt::format(
      "problem: {} pairs, {} samples of {} numbers, {} test samples, {} modes; {}\n"
      "an entry of the kernel matrix costs as much as {} of a matrix product, {:.3g} us here\n",
      *config.data.pairs, size.samples, size.features, *config.data.test,
      config.modes ? fmt::format("{}", *config.modes) : "all", problem.convention, amount(size.entry_cost, "flop"),
      1e6 * size.entry_cost / speed);
}

/// The settings that differ from their defaults, as words of a command line.
std::string given_settings(SolveConfig config) {
  SolveConfig defaults;
  const auto given = solve_options(config);
  const auto usual = solve_options(defaults);
  std::string text;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::string value = given[i].text();
    if (value == usual[i].text()) continue;
    const bool plain = !value.empty() && value.find_first_of(" '\"*()$&;|<>") == std::string::npos;
    text += fmt::format(" --{} {}", given[i].name, plain ? value : "'" + value + "'");
  }
  return text;
}

std::string command_for(const Way& way, SolveConfig config) {
  const Machine& m = way.machine;
  config.solver.method = way.method;
  config.kernel.storage = way.method == "krylov" ? way.storage : "double";
  const std::string words = "stepwise solve" + given_settings(config);
  if (m.nodes > 1) {
    return fmt::format("srun --nodes={} --ntasks-per-node={} --cpus-per-task={} {}", m.nodes, m.ranks_per_node,
                       m.threads, words);
  }
  const std::string threads = fmt::format("OMP_NUM_THREADS={} ", m.threads);
  if (m.ranks() == 1) return threads + words;
  return fmt::format("{}mpirun -n {}{} {}", threads, m.ranks(),
                     m.threads > 1 ? fmt::format(" --map-by slot:PE={}", m.threads) : "", words);
}

/// Methods and storages that can do this at all.
std::vector<std::pair<std::string, std::string>> candidates(const SolveConfig& config, const Problem& problem) {
  std::vector<std::pair<std::string, std::string>> all;
  if (config.modes) {
    for (const char* storage : {"double", "single", "none"}) all.emplace_back("krylov", storage);
  }
  all.emplace_back("cholesky", "double");
  all.emplace_back("spectral", "double");
  if (has_features(config) && problem.features <= problem.samples) all.emplace_back("primal", "double");
  return all;
}

}  // namespace

std::string time_text(double seconds) {
  const auto whole = static_cast<long>(std::min(seconds, 1e15));
  if (seconds < 1) return fmt::format("{:.2f} s", seconds);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  constexpr long day = 86400;
  if (whole < 4 * day) return fmt::format("{}:{:02} h", whole / 3600, whole / 60 % 60);
  return fmt::format("{} days", whole / day);
}

std::vector<Option> plan_options(PlanConfig& config, SolveConfig& solve) {
  return joined({{text_option("sample-shape", "CxHxW",
                              "shape of a sample, or its number of features, where the data are not there yet",
                              config.sample_shape)},
                 solve_options(solve),
                 machine_options(config.machine)});
}

Estimate estimate_run(const Problem& problem, const std::string& method) {
  const Communicator& comm = problem.comm;
  const Machine here = measure_machine(comm, run_measurement);
  const ProblemSize size = size_of(problem, measure_entry(problem, here));
  return estimate(job_of(problem.config, method, size, problem.grid->shape()), here);
}

void dry_run(const Communicator& comm, SolveConfig config, const RunConfig& run) {
  const auto check = [&] {
    check_output(comm, config.output, config.force, {config.data.path, config.kernel.path, config.kernel.test_path});
  };
  if (run.restart.empty()) check();
  const PairSource pairs = attempt(comm, [&] { return open_pairs(config); });
  const Problem problem = pose(comm, config, pairs);
  const std::string method = choose_method(config, problem.samples, problem.features);
  check_problem(problem, method);
  // The checksum reads all samples.
  const bool kept = !run.restart.empty() || !run.checkpoint.empty();
  const std::string checksum = kept ? inputs_checksum(comm, pairs) : "";
  if (!run.restart.empty()) {
    if (is_complete(comm, config, checksum)) {
      if (comm.rank() == 0) fmt::print("{} is there already, with these settings: nothing to do\n", config.output);
      return;
    }
    check();
  }
  check_room(comm, config.output, saved_bytes(config, problem.samples));
  check_checkpoint(comm, run, config.output, problem_settings(config, method, problem.convention, checksum));
  const Machine here = measure_machine(comm, plan_measurement);
  const ProblemSize size = size_of(problem, measure_entry(problem, here));
  const Way way = consider(config, method, config.kernel.storage, size, here);
  if (comm.rank() != 0) return;
  fmt::print("{}{}\n{}\nestimated {}, largest number of samples that fits {}\nnothing was computed (--dry-run)\n",
             machine_text(here), problem_text(problem, config, size, here.flops_per_core), details(way),
             time_text(way.estimate.seconds()), way.largest);
}

void plan(const Communicator& comm, SolveConfig config, const PlanConfig& wanted) {
  const SolveConfig given = config;
  const PairSource pairs = attempt(comm, [&] { return describe_data(config, wanted.sample_shape); });
  config.solver.grid = "auto";  // that of this run
  const Problem problem = pose(comm, config, pairs);
  config.solver.grid = given.solver.grid;
  const Machine here = measure_machine(comm, plan_measurement);
  const ProblemSize size = size_of(problem, measure_entry(problem, here));
  std::vector<Way> ways;
  attempt(comm, [&] {
    for (const auto& [method, storage] : candidates(config, problem)) {
      std::vector<Way> layouts;
      for (const Machine& machine : described_machines(wanted.machine, here)) {
        layouts.push_back(consider(config, method, storage, size, machine));
      }
      ways.push_back(*std::min_element(layouts.begin(), layouts.end(), better));
    }
  });
  if (comm.rank() != 0) return;
  fmt::print("{}{}\n", machine_text(ways.front().machine), problem_text(problem, config, size, here.flops_per_core));
  for (const Way& way : ways) fmt::print("{}\n", details(way));
  fmt::print("{:<18}{:>16}{:>13}{:>12}{:>12}{:>16}\n", "method", "ranks x threads", "memory/rank", "of", "time",
             "largest samples");
  for (const Way& way : ways) {
    fmt::print("{:<18}{:>16}{:>13}{:>12}{:>12}{:>16}{}\n", name_of(way),
               fmt::format("{} x {}", way.machine.ranks(), way.machine.threads), format_bytes(way.estimate.peak()),
               format_bytes(way.machine.memory_per_rank()), time_text(way.estimate.seconds()), way.largest,
               way.fits ? "" : "  does not fit");
  }
  const auto allowed = [&](const Way& way) {
    return given.solver.method == "auto" || given.solver.method == way.method;
  };
  std::erase_if(ways, [&](const Way& way) { return !allowed(way); });
  if (ways.empty()) return;
  const Way& best = *std::min_element(ways.begin(), ways.end(), better);
  if (!best.fits) {
    fmt::print("\nnothing fits: use more nodes or less data\n");
    return;
  }
  fmt::print("\nbest: {}; {}: {}, {} per rank\n  {}\n", name_of(best), layout_text(best),
             time_text(best.estimate.seconds()), format_bytes(best.estimate.peak()), command_for(best, given));
}

}  // namespace stepwise
