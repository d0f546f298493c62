#pragma once

#include <memory>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/core/random.hpp"
#include "stepwise/dist/communicator.hpp"
#include "stepwise/dist/dist_matrix.hpp"
#include "stepwise/dist/process_grid.hpp"

namespace stepwise::test {

/// Lives as long as the test binary's MPI session allows: made on first use, never freed.
inline const Communicator& world() {
  static auto* const comm = new Communicator(MPI_COMM_WORLD);
  return *comm;
}

/// Every p x q = number of ranks.
inline std::vector<std::shared_ptr<const ProcessGrid>> every_grid() {
  std::vector<std::shared_ptr<const ProcessGrid>> grids;
  for (int rows = 1; rows <= world().size(); ++rows) {
    if (world().size() % rows == 0) grids.push_back(ProcessGrid::create(world(), {rows, world().size() / rows}));
  }
  return grids;
}

/// Entries f(i, j) of the global indices.
template <class Entry>
DistMatrix make_matrix(const std::shared_ptr<const ProcessGrid>& grid, std::int64_t rows, std::int64_t cols,
                       std::int64_t block, Entry entry) {
  DistMatrix a(grid, rows, cols, block);
  const auto local = a.local();
  for (std::int64_t j = 0; j < local.cols; ++j) {
    for (std::int64_t i = 0; i < local.rows; ++i) local(i, j) = entry(a.global_row(i), a.global_col(j));
  }
  return a;
}

/// The whole matrix, column-major, on every rank.
inline std::vector<double> replicate(const DistMatrix& a) {
  std::vector<double> full(static_cast<std::size_t>(a.rows() * a.cols()));
  const auto local = a.local();
  for (std::int64_t j = 0; j < local.cols; ++j) {
    for (std::int64_t i = 0; i < local.rows; ++i) {
      full[static_cast<std::size_t>(a.global_row(i) + a.global_col(j) * a.rows())] = local(i, j);
    }
  }
  sum(a.comm(), full);
  return full;
}

/// Standard normal number of (i, j), the same on every rank.
inline double normal_entry(std::int64_t i, std::int64_t j, std::uint64_t seed = 7) {
  return RandomStream(seed, Purpose::probe, i * 100'000 + j).normal();
}

}  // namespace stepwise::test
