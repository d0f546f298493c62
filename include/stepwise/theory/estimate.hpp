#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "stepwise/dist/process_grid.hpp"
#include "stepwise/solve/krylov.hpp"

namespace stepwise {

// What a run will need, as pure functions of plain values (docs/scaling.md).

/// The computer; nothing in it is measured here. Rates are per second.
struct Machine {
  std::int64_t nodes = 1;
  std::int64_t ranks_per_node = 1;
  std::int64_t threads = 1;         ///< of each rank
  double memory = 16e9;             ///< bytes for this program on each node
  double flops_per_core = 20e9;     ///< of a large matrix product in double precision
  double memory_bandwidth = 20e9;   ///< bytes, of a node
  double network_bandwidth = 10e9;  ///< bytes, of a node in one direction
  double network_latency = 2e-6;    ///< seconds for a short message between nodes
  double disk_bandwidth = 1e9;      ///< bytes, of all nodes together
  double process_bytes = 0;         ///< of each rank, before and beside the arrays: libraries, buffers of MPI and BLAS

  [[nodiscard]] std::int64_t ranks() const noexcept { return nodes * ranks_per_node; }
  [[nodiscard]] double cores() const noexcept { return static_cast<double>(ranks() * threads); }
  [[nodiscard]] double memory_per_rank() const noexcept { return memory / static_cast<double>(ranks_per_node); }
};

/// What a process holds beside the arrays of the model: programs, libraries, MPI, packed panels of each thread's BLAS.
[[nodiscard]] double process_bytes(std::int64_t threads);

/// The work, by sizes alone.
struct Job {
  std::string method = "krylov";   ///< krylov, cholesky, spectral or primal
  std::string storage = "double";  ///< krylov: double, single or none
  std::int64_t samples = 0;        ///< N
  std::int64_t inputs = 0;         ///< numbers in a sample as it is read
  std::int64_t features = 0;       ///< m, numbers in a sample as the kernel sees it
  std::int64_t modes = 0;          ///< d; 0: the whole spectrum
  std::int64_t tests = 0;
  GridShape grid = {};      ///< rows x cols = ranks
  std::int64_t block = 64;  ///< of the block-cyclic layout
  double entry_cost = 0;    ///< of one entry of K in double precision, in flops of a large matrix product
  double tile_numbers = 0;  ///< that a thread evaluates at once
  double map_numbers = 0;   ///< weights of random features or finite networks, on every rank
  KrylovSizes krylov = {};
  std::int64_t subsample = 0;        ///< samples of a warm start; 0: none
  std::int64_t subsample_modes = 0;  ///< found of them, to start from
  KrylovSizes subsample_krylov = {};
};

struct Array {
  std::string name;
  double bytes = 0;
};

/// A stage of the run: the arrays that are alive at its peak, on the rank that has most, and what it does. Work and
/// communication are zero where they are negligible.
struct Phase {
  std::string name;                ///< as in the table of times
  std::vector<Array> arrays = {};  ///< per rank
  double flops = 0;                ///< of all ranks, in flops of a large matrix product
  double sent = 0;                 ///< bytes per rank
  double messages = 0;             ///< one after another
  double io = 0;                   ///< bytes read or written, of all ranks
  double seconds = 0;

  [[nodiscard]] double bytes() const;
};

struct Estimate {
  std::vector<Phase> phases;
  double process_bytes = 0;

  [[nodiscard]] double seconds() const;
  [[nodiscard]] double seconds(const std::string& phase) const;  ///< 0 where there is none of that name
  /// The phase with the largest arrays, and what a rank holds then.
  [[nodiscard]] const Phase& largest() const;
  [[nodiscard]] double peak() const;
};

/// The largest number of samples, a multiple of `step`, for which a rank holds at most `memory` bytes; 0: none.
/// `of` estimates for so many samples.
[[nodiscard]] std::int64_t largest_samples(const std::function<Estimate(std::int64_t)>& of, double memory,
                                           std::int64_t step);

/// @pre every size is positive but for modes, tests, subsample; grid.rows * grid.cols == machine.ranks().
[[nodiscard]] Estimate estimate(const Job& job, const Machine& machine);

}  // namespace stepwise
