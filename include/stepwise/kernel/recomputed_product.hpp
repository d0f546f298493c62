#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/dist/block_vector.hpp"
#include "stepwise/kernel/assemble.hpp"

namespace stepwise {

/// Products of a kernel matrix with block vectors, without the matrix: every tile is evaluated for each product, once
/// for the two places it has in the symmetric matrix.
///
/// The ranks stand in a ring. Each keeps its own samples, and those of the others come by one rank at a time, half-way
/// round: a pair of ranks meets once, and if they meet in the middle each takes half of the work. Keeps references to
/// the kernel and the samples.
class RecomputedProduct {
 public:
  /// `own` holds this rank's samples, sample_share(comm, samples, group). Local.
  RecomputedProduct(const Kernel& kernel, const Samples& own, const Communicator& comm, std::int64_t samples,
                    std::int64_t group, Progress progress = {});

  /// Y := K V, both width x (this rank's samples). Collective. @throws CollectiveError(memory).
  /// Cost: (m + 2 width) N^2 flops over all ranks and the kernel's own for N^2 / 2 entries; every rank receives half of
  /// all samples. Memory per rank: 16 m N / P bytes for two visiting ranks' samples, 8 width N / P for each thread, and
  /// a tile of 512 KiB a thread.
  void operator()(MatrixView<const double> v, MatrixView<double> y) const;

 private:
  struct Visitor;
  [[nodiscard]] Range share(int rank) const;
  void meet(const Visitor& visitor, Range own_rows, Range visitor_rows, bool self, MatrixView<const double> v,
            MatrixView<double> y, std::vector<double>& back) const;

  const Kernel& kernel_;
  const Samples& own_;
  const Communicator& comm_;
  std::int64_t samples_;
  std::int64_t group_;
  Progress progress_;
};

}  // namespace stepwise
