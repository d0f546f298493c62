#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/dist/block_vector.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

// Subspaces of R^N, N samples, spanned by the dimensions of embeddings, and how much two of them have in common.

/// In which order the basis of a subspace grows.
enum class BasisOrder {
  given,      ///< as the dimensions stand
  principal,  ///< principal components, largest first (singular values of the embedding, not centred)
};

/// Orthonormal vectors over the samples.
struct SubspaceBasis {
  BlockVector q;  ///< N samples x r; the first k span what the first k kept dimensions, or principal components, span
  std::vector<std::int64_t> kept;     ///< numbers of the dimensions, from 0; by principal components 0 .. r - 1
  std::vector<std::int64_t> dropped;  ///< those that add nothing to the ones before them
};

/// QR of a tall matrix whose rows are dealt out: each rank's own, then of the d x d factors along a tree. In the given
/// order a dimension is dropped when less than `tolerance` of its length is outside the span of those before it; of
/// principal components those with a singular value below `tolerance` times the largest.
/// Collective. @throws CollectiveError(input) for NaN and Inf, (numerical) when LAPACK fails. Cost: 8 N d^2 flops, and
/// 2 log2(P) messages of d^2 numbers. Memory per rank: 16 N d / P bytes.
[[nodiscard]] SubspaceBasis orthonormal_basis(const BlockVector& embedding, double tolerance, BasisOrder order,
                                              const Communicator& comm);

/// ||P_1 P_2^T||_F^2 over dimensions, for bases of d_1 and d_2 vectors and d = min(d_1, d_2): 1 for the same subspace,
/// 0 for orthogonal ones.
struct SubspaceAlignment {
  std::vector<double> both;             ///< [k - 1]: the first k of both, over k, for k <= d
  std::vector<double> first_in_second;  ///< the first k of the first in all of the second, over min(k, d_2), k <= d_1
  std::vector<double> second_in_first;  ///< the other way round, k <= d_2
  std::vector<double> angles;           ///< d principal angles between all of both, ascending, radians
  double overall = 0;                   ///< all of both, over d: the mean squared cosine of the angles
};

/// Small angles come from sines, with all digits (Bjorck and Golub 1973). Collective. Cost: 6 N d_1 d_2 flops.
/// @throws CollectiveError(internal) for other samples, (numerical).
[[nodiscard]] SubspaceAlignment compare_subspaces(const SubspaceBasis& first, const SubspaceBasis& second,
                                                  const Communicator& comm);

/// Mean and standard deviation of the alignment of random subspaces.
struct ChanceAlignment {
  double mean = 0;
  double deviation = 0;
};

/// Of a fixed subspace of dimension p and a uniformly random one of dimension q in R^n, over min(p, q): the mean is
/// max(p, q) / n, and the trace of P_1 P_2 has the variance 2 p q (n - p) (n - q) / (n^2 (n - 1) (n + 2)).
[[nodiscard]] ChanceAlignment chance_alignment(std::int64_t n, std::int64_t p, std::int64_t q);

}  // namespace stepwise
