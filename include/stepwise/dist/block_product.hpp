#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/dist/dist_matrix.hpp"

namespace stepwise {

/// Products of a block-cyclic n x n matrix with block vectors: a local GEMM between two exchanges.
///
/// Keeps a reference to the matrix and the plan of the exchanges; PBLAS on matrices this narrow spends its time on
/// messages of one block each (docs/performance.md).
class BlockProduct {
 public:
  /// Local. `group` as in sample_share().
  BlockProduct(const DistMatrix& a, std::int64_t group);

  /// Y := A V. Both are width x (this rank's samples), as BlockVector stores them; same width on every rank.
  /// Collective. Cost per rank: 2 n^2 width / P flops; sends and receives about n width (1 / p + 1 / q) numbers on a
  /// p x q grid. Memory: the same number. @throws CollectiveError(memory).
  void operator()(MatrixView<const double> v, MatrixView<double> y) const;

 private:
  /// For each rank of the communicator, how many samples travel to or from it.
  struct Plan {
    std::vector<std::int64_t> counts;
    std::int64_t total = 0;
  };

  const DistMatrix& a_;
  Range own_;          ///< this rank's samples
  Plan send_to_cols_;  ///< own samples that are columns of each rank's part
  Plan from_shares_;   ///< columns of this rank's part, by the rank whose sample it is
  Plan to_shares_;     ///< rows of this rank's part, by the rank whose sample it is
  Plan from_rows_;     ///< own samples that are rows of each rank's part
};

}  // namespace stepwise
