#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "problem.hpp"
#include "stepwise/cli/options.hpp"
#include "stepwise/dist/communicator.hpp"
#include "stepwise/theory/estimate.hpp"

namespace stepwise {

/// The computer to plan for, as the user describes it; nullopt: as this one is.
struct MachineConfig {
  std::int64_t nodes = 0;  ///< 0: those of this run
  std::optional<std::int64_t> cores;
  std::optional<std::int64_t> ranks_per_node;
  std::optional<std::int64_t> threads;
  std::optional<double> memory;  ///< bytes of a node
  std::optional<double> gflops_per_core;
  std::optional<double> memory_bandwidth;  ///< GB/s of a node
  double network_bandwidth = 10;           ///< GB/s of a node
  double network_latency = 2;              ///< microseconds
  double disk_bandwidth = 1;               ///< GB/s of all nodes together
};

/// [machine], bound to `config`.
[[nodiscard]] std::vector<Option> machine_options(MachineConfig& config);

/// "512 GiB" or "2e9" in bytes. @throws Error(input).
[[nodiscard]] double parse_bytes(const std::string& text);

/// This run's computer: ranks, threads and free memory as they are; speed of matrix products and of memory measured for
/// about `seconds`. Collective.
[[nodiscard]] Machine measure_machine(const Communicator& comm, double seconds);

/// Seconds that a core needs for one entry of the kernel matrix: by tiles of the first samples, larger and larger,
/// since what is done once for a sample or a group of rows counts less and less; about 0.2 s, more only where eight
/// entries take more. Collective; the mean over the ranks. Memory per rank: eight samples or 4 MB, and a tile for each
/// thread.
[[nodiscard]] double entry_seconds(const Problem& problem);

/// The same in flops of a large matrix product at the speed measured before. Collective.
[[nodiscard]] double measure_entry(const Problem& problem, const Machine& machine);

/// The machine to plan for, and every way to divide its cores among ranks and threads that is to be considered.
[[nodiscard]] std::vector<Machine> described_machines(const MachineConfig& config, const Machine& here);

}  // namespace stepwise
