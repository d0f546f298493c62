#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stepwise/cli/spread.hpp"
#include "stepwise/dist/communicator.hpp"
#include "stepwise/dist/process_grid.hpp"

namespace stepwise {

/// Where a rank runs.
struct RankPlace {
  std::string host;
  std::vector<int> cores;  ///< numbers of those it may use, ascending
  int threads = 1;         ///< of the program, or of the BLAS underneath if that starts more
};

/// What decides how fast the machine can be.
struct Placement {
  std::vector<RankPlace> ranks;   ///< all of them
  bool user_threads = false;      ///< OMP_NUM_THREADS is set
  bool ignored_variable = false;  ///< OPENBLAS_NUM_THREADS is set, and the OpenMP build of OpenBLAS ignores it
  bool foreign_threads = false;   ///< the BLAS has threads of its own beside OpenMP's
  std::string blas;               ///< the library file that DGEMM comes from
  std::optional<Spread> dgemm;    ///< FLOP/s of a rank, where measured
};

/// Looks at the machine. Collective.
[[nodiscard]] Placement find_placement(const Communicator& comm);

/// FLOP/s of DGEMM on this rank's threads, all ranks at work for about 0.3 s. Collective. 14 MB per rank.
[[nodiscard]] double measure_dgemm(const Communicator& comm);

// What there is to say about it. Pure functions.

/// What costs people days, with what to do about it: more threads than cores, ranks of one node that are not bound, a
/// BLAS that is slow or starts threads of its own, a process grid (of methods that use one) that is a single row.
[[nodiscard]] std::vector<std::string> placement_warnings(const Placement& placement,
                                                          const std::optional<GridShape>& grid);

/// "node[01-04] (8 ranks each), big1 (2 ranks)"
[[nodiscard]] std::string host_list(const std::vector<RankPlace>& ranks);

/// "0-3,8"
[[nodiscard]] std::string core_list(const std::vector<int>& cores);

/// "bound to 4 cores each", "not bound: all use cores 0-15", ...
[[nodiscard]] std::string binding_text(const std::vector<RankPlace>& ranks);

}  // namespace stepwise
