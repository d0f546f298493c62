#include "machine.hpp"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "stepwise/core/memory.hpp"
#include "stepwise/core/random.hpp"
#include "stepwise/core/timing.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/kernel/evaluate.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t any = 1'000'000'000;

bool long_enough(double seconds) {
  return seconds >= 0.1;
}

double mean(const Communicator& comm, double x) {
  return sum(comm, x) / comm.size();
}

/// Flops per second and thread of products of square matrices, all ranks at work.
double product_speed(double seconds) {
  const std::int64_t n = long_enough(seconds) ? 1024 : 384;
  const std::vector<double> a(static_cast<std::size_t>(n * n), 1.0);
  std::vector<double> c(a.size());
  const MatrixView<const double> view{a.data(), n, n, n};
  const auto multiply = [&] { gemm(1, Transpose::no, view, Transpose::no, view, 0, {c.data(), n, n, n}); };
  multiply();
  // The best of several: another process may have had the core for a moment.
  double fastest = std::numeric_limits<double>::infinity();
  const Stopwatch all;
  do {
    const Stopwatch one;
    multiply();
    fastest = std::min(fastest, one.seconds());
  } while (all.seconds() < seconds);
  const double flops = 2.0 * static_cast<double>(n * n * n);
  return flops / fastest / omp_get_max_threads();
}

/// Bytes per second that all threads of this rank read and write, of memory beyond the caches.
double memory_speed() {
  constexpr std::int64_t chunk = std::int64_t{1} << 16;
  constexpr std::int64_t chunks = 192;  // 96 MiB
  const std::vector<double> from(static_cast<std::size_t>(chunk * chunks), 1.0);
  std::vector<double> to(from.size());
  const Stopwatch watch;
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < chunks; ++i) std::copy_n(from.data() + i * chunk, chunk, to.data() + i * chunk);
  return 16 * to.back() * static_cast<double>(chunk * chunks) / watch.seconds();
}

/// A quantity that may stay open, with a name of its own for what it takes then.
Option measured_option(std::string name, std::string metavar, std::string help, std::optional<double>& target) {
  return auto_option(std::move(name), std::move(metavar), std::move(help), target, 1e-6, 1e12);
}

Samples random_samples(std::int64_t features, std::int64_t count, bool two_kinds) {
  std::vector<double> data(static_cast<std::size_t>(features * count));
  for (std::int64_t i = 0; i < count; ++i) {
    RandomStream stream(0, Purpose::probe, i);
    double* x = data.data() + i * features;
    std::generate_n(x, features, [&] { return stream.normal(); });
    if (two_kinds) x[0] = static_cast<double>(i % 2);
  }
  return make_samples(features, std::move(data));
}

/// The first training samples, or random numbers in their place where only their shape is known.
Samples probe_samples(const Problem& problem, std::int64_t count) {
  const auto* arrays = std::get_if<ArrayPairs>(&problem.pairs);
  if (arrays != nullptr && arrays->path.empty()) {
    return random_samples(problem.features, count, std::holds_alternative<MultimodalKernel>(problem.kernel));
  }
  return load_range(problem, {0, std::min(count, problem.samples)});
}

/// How long a tile takes when every thread evaluates one: the best of a few, since another process may have had the
/// core for a moment, unless that would take more than `limit`.
double tile_seconds(const Kernel& kernel, const Samples& samples, Range rows, Range cols, double limit) {
  constexpr int enough_times = 3;
  double fastest = std::numeric_limits<double>::infinity();
  const Stopwatch all;
  for (int times = 0; times == 0 || (times < enough_times && all.seconds() < limit); ++times) {
    const Stopwatch one;
#pragma omp parallel
    {
      std::vector<double> tile(static_cast<std::size_t>(rows.size() * cols.size()));
      evaluate(kernel, samples, rows, samples, cols, {tile.data(), rows.size(), cols.size(), rows.size()});
    }
    fastest = std::min(fastest, one.seconds());
  }
  return fastest;
}

}  // namespace

double parse_bytes(const std::string& text) {
  constexpr std::array<std::pair<const char*, double>, 9> units{{{"", 1},
                                                                 {"B", 1},
                                                                 {"MB", 1e6},
                                                                 {"GB", 1e9},
                                                                 {"TB", 1e12},
                                                                 {"KiB", 1024.0},
                                                                 {"MiB", 1048576.0},
                                                                 {"GiB", 1073741824.0},
                                                                 {"TiB", 1099511627776.0}}};
  double amount = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, amount);
  const char* unit = stop;
  while (unit != end && *unit == ' ') ++unit;
  for (const auto& [name, factor] : units) {
    if (error == std::errc() && std::string(unit, end) == name && std::isfinite(amount) && amount > 0) {
      return amount * factor;
    }
  }
  fail(ExitCode::input, "must be an amount of memory such as 512GiB, 500GB or 16e9");
}

std::vector<Option> machine_options(MachineConfig& c) {
  return {
      integer_option("machine.nodes", "N", "nodes; 0: those of this run", c.nodes, 0, any),
      auto_option("machine.cores", "N", "cores of a node; auto: those of this run", c.cores, 1, any),
      auto_option("machine.ranks-per-node", "R", "auto: those of this run, or what is best of the cores",
                  c.ranks_per_node, 1, any),
      auto_option("machine.threads", "T", "of each rank; auto: what is left of the cores", c.threads, 1, any),
      {"machine.memory", "BYTES", "of a node, such as 512GiB; auto: what is free here",
       [&c](const std::string& text) { c.memory = text == "auto" ? std::nullopt : std::optional(parse_bytes(text)); },
       [&c] { return c.memory ? fmt::format("{}", *c.memory) : "auto"; }},
      measured_option("machine.gflops-per-core", "G",
                      "GFLOP/s of a core in large matrix products, double precision; auto: measured here",
                      c.gflops_per_core),
      measured_option("machine.memory-bandwidth", "GB/S", "of a node; auto: measured here", c.memory_bandwidth),
      real_option("machine.network-bandwidth", "GB/S", "of a node, in one direction", c.network_bandwidth, 1e-6, 1e9),
      real_option("machine.network-latency", "US", "microseconds of a short message", c.network_latency, 0, 1e9),
      real_option("machine.disk-bandwidth", "GB/S", "of the file system for all nodes together", c.disk_bandwidth, 1e-6,
                  1e9),
  };
}

Machine measure_machine(const Communicator& comm, double seconds) {
  Machine machine;
  machine.ranks_per_node = max(comm, std::int64_t{ranks_on_node(comm)});
  machine.nodes = ceil_div(std::int64_t{comm.size()}, machine.ranks_per_node);
  machine.threads = max(comm, std::int64_t{omp_get_max_threads()});
  const auto resident = static_cast<double>(peak_memory());
  machine.process_bytes = max(comm, std::max(process_bytes(machine.threads), resident));
  const auto available = static_cast<double>(available_memory().value_or(std::int64_t{1} << 60));
  machine.memory = -max(comm, -available) + resident * static_cast<double>(machine.ranks_per_node);
  machine.flops_per_core = mean(comm, product_speed(seconds));
  // Copying much would raise the run's own high-water mark.
  constexpr double usual_per_core = 5e9;
  machine.memory_bandwidth =
      static_cast<double>(machine.ranks_per_node) *
      (long_enough(seconds) ? mean(comm, memory_speed()) : usual_per_core * static_cast<double>(machine.threads));
  return machine;
}

double entry_seconds(const Problem& problem) {
  constexpr double budget = 0.2;  // seconds
  constexpr std::int64_t most_numbers = 500'000;
  // Convolutional kernels evaluate eight columns together, and each group of eight samples with itself.
  constexpr std::int64_t least_cols = 8;
  constexpr std::int64_t largest = 512;
  const double seconds = attempt(problem.comm, [&] {
    const Samples samples = probe_samples(problem, std::clamp(most_numbers / problem.features, least_cols, largest));
    double per_entry = 0;
    const Stopwatch all;
    for (std::int64_t side = least_cols; side == least_cols || side <= samples.count; side *= 2) {
      const std::int64_t cols = std::min(side, samples.count);
      const Range rows{0, std::min(side / 2, samples.count)};
      const double tile =
          tile_seconds(problem.kernel, samples, rows, {samples.count - cols, samples.count}, budget / 3);
      per_entry = tile / static_cast<double>(rows.size() * cols);
      if (all.seconds() > budget / 4) break;  // the next tile is four times as large
    }
    return per_entry;
  });
  return mean(problem.comm, seconds);
}

double measure_entry(const Problem& problem, const Machine& machine) {
  if (std::holds_alternative<PrecomputedKernel>(problem.kernel)) return 100;  // of reading: a few numbers are moved
  return entry_seconds(problem) * machine.flops_per_core;
}

std::vector<Machine> described_machines(const MachineConfig& c, const Machine& here) {
  Machine machine = here;
  const std::int64_t cores = c.cores.value_or(here.ranks_per_node * here.threads);
  if (c.nodes > 0) machine.nodes = c.nodes;
  if (c.memory) machine.memory = *c.memory;
  if (c.gflops_per_core) machine.flops_per_core = 1e9 * *c.gflops_per_core;
  if (c.memory_bandwidth) machine.memory_bandwidth = 1e9 * *c.memory_bandwidth;
  machine.network_bandwidth = 1e9 * c.network_bandwidth;
  machine.network_latency = 1e-6 * c.network_latency;
  machine.disk_bandwidth = 1e9 * c.disk_bandwidth;
  std::vector<Machine> ways;
  const auto consider = [&](std::int64_t ranks, std::int64_t threads) {
    machine.ranks_per_node = ranks;
    machine.threads = threads;
    machine.process_bytes = std::max(process_bytes(threads), c.cores ? 0 : here.process_bytes);
    ways.push_back(machine);
  };
  if (c.ranks_per_node || c.threads) {
    const std::int64_t ranks = c.ranks_per_node.value_or(std::max(cores / c.threads.value_or(1), std::int64_t{1}));
    consider(ranks, c.threads.value_or(std::max(cores / ranks, std::int64_t{1})));
  } else if (!c.cores && here.ranks() > 1) {
    consider(here.ranks_per_node, here.threads);
  } else {
    constexpr std::int64_t most_threads = 16;  // memory of another socket is slow
    for (std::int64_t threads = 1; threads <= std::min(cores, most_threads); threads *= 2) {
      consider(cores / threads, threads);
    }
  }
  return ways;
}

}  // namespace stepwise
