#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/core/matrix_view.hpp"
#include "stepwise/dist/dist_matrix.hpp"

namespace stepwise {

/// n samples with `width` numbers each (modes, embedding dimensions), width << n. Every rank of the communicator holds
/// one contiguous range of samples, sample by sample: the local part is column-major with one column per sample. Memory
/// per rank: 8 n width / P bytes.
struct BlockVector {
  std::int64_t samples = 0;  ///< over all ranks
  std::int64_t width = 0;
  Range range;               ///< this rank's samples
  std::vector<double> data;  ///< width x range.size()

  [[nodiscard]] MatrixView<double> local() noexcept { return {data.data(), width, range.size(), width}; }
  [[nodiscard]] MatrixView<const double> local() const noexcept { return {data.data(), width, range.size(), width}; }
};

/// This rank's share of n samples when groups of `group` consecutive ones (a pair) must stay together.
[[nodiscard]] Range sample_share(const Communicator& comm, std::int64_t samples, std::int64_t group);
/// Another rank's.
[[nodiscard]] Range sample_share(const Communicator& comm, std::int64_t samples, std::int64_t group, int rank);

/// All zeros. Local.
[[nodiscard]] BlockVector make_block_vector(const Communicator& comm, std::int64_t samples, std::int64_t width,
                                            std::int64_t group);

/// u_j . v_j over all samples for each of the vectors of two block vectors. Collective.
[[nodiscard]] std::vector<double> dots(const Communicator& comm, const BlockVector& u, const BlockVector& v);

/// v_j *= factors[j]. Local.
void scale_vectors(BlockVector& v, const std::vector<double>& factors);

/// The rows of an n x width block-cyclic matrix, regrouped by sample; groups of `group` rows stay together.
/// Collective: all-to-all exchanges of some columns at a time, about `numbers` on each rank.
/// @throws CollectiveError(memory) when a rank cannot allocate.
[[nodiscard]] BlockVector to_block_vector(const DistMatrix& matrix, std::int64_t group,
                                          std::int64_t numbers = std::int64_t{1} << 26);

}  // namespace stepwise
