#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "stepwise/core/matrix_view.hpp"
#include "stepwise/dist/block_vector.hpp"

namespace stepwise {

/// T = J K, self-adjoint in the inner product <u, v> = u^T K v: K symmetric positive semidefinite, J symmetric. Vectors
/// are width x (this rank's samples), as BlockVector stores them.
struct KernelOperator {
  std::int64_t samples = 0;
  std::int64_t group = 1;  ///< samples that J mixes stand together in groups of this many
  /// kv := K v. Collective.
  std::function<void(MatrixView<const double> v, MatrixView<double> kv)> kernel;
  /// v := J v. Local.
  std::function<void(MatrixView<double> v)> pairing;
  /// The same product to about single precision, if that is cheaper; may be empty. Collective.
  std::function<void(MatrixView<const double> v, MatrixView<double> kv)> rough_kernel = {};
};

/// How many vectors there are, by the settings.
struct KrylovSizes {
  std::int64_t block = 0;
  std::int64_t basis = 0;  ///< at most, before a restart
  std::int64_t width = 0;  ///< that are worked on at once
};

/// Where a search stands between two passes over K, with the basis Q and its image K Q. Counts and numbers are the
/// search's own and the same on every rank; whoever keeps them need not know what they mean.
struct KrylovState {
  KrylovSizes sizes;
  std::int64_t vectors = 0;  ///< in the basis
  std::vector<std::int64_t> counts;
  std::vector<double> numbers;
};

/// A state to go on from. `read` puts the basis and its image, vectors x this rank's samples, where they belong.
/// Collective.
struct KrylovResume {
  KrylovState state;
  std::function<void(MatrixView<double> q, MatrixView<double> kq)> read;
};

/// Sees the state, and Q and K Q as `read` wants them, between two passes over K. May throw a CollectiveError to end
/// the search. Collective.
using KrylovSafePoint =
    std::function<void(const KrylovState& state, MatrixView<const double> q, MatrixView<const double> kq)>;

struct KrylovOptions {
  std::int64_t modes = 10;                    ///< d
  double tolerance = 1e-10;                   ///< of ||T a - theta a||_K / theta_1 for each of the d pairs
  std::int64_t block = 0;                     ///< vectors in a block; 0: 16 to 48 by the number of modes
  std::int64_t max_rounds = 500;              ///< passes over K before giving up
  std::uint64_t seed = 0;                     ///< of the random start
  const BlockVector* start = nullptr;         ///< vectors near the wanted ones to begin with, instead of random ones
  std::function<void(double)> progress = {};  ///< takes the fraction done, on the way to the tolerance
  KrylovSafePoint safe_point = {};            ///< called before every pass, and again when a pass is given up
  const KrylovResume* resume = nullptr;       ///< where to go on, instead of starting
};

struct KrylovPairs {
  std::vector<double> values;     ///< theta, descending: as many as there are positive ones, at most d
  std::vector<double> residuals;  ///< ||T a - theta a||_K / theta_1, from products with K itself
  BlockVector vectors;            ///< A: a_i^T K a_j = delta_ij, one vector per value
  BlockVector kernel_vectors;     ///< K A
  bool exhausted = false;  ///< fewer positive eigenvalues than wanted: none turned up any more, or K has no more range
  bool too_rough = false;  ///< rough products were not good enough and everything was done anew without them
  std::int64_t products = 0;      ///< vectors multiplied by K
  std::int64_t rounds = 0;        ///< block products, calls of kernel() and rough_kernel()
  std::int64_t rough_rounds = 0;  ///< those of rough_kernel()
  std::int64_t restarts = 0;
  double product_seconds = 0;  ///< this rank's time in block products
};

/// The d algebraically largest eigenpairs of T by a block Krylov method with thick restarts, in the K inner product.
///
/// A basis Q and its image K Q are kept, so the inner products that orthogonalisation needs cost no product with K: one
/// block product per step. Every block is orthogonalised against the whole basis until that takes away no more than
/// rounding; Rayleigh-Ritz on Q^T K J K Q.
/// Directions without length in the K norm (K singular) are dropped. Multiple eigenvalues are found up to the block
/// size by the start, and beyond it by the random vectors that join the basis before convergence is believed: they
/// must not find anything larger. At the end a last Rayleigh-Ritz step and residuals from fresh products.
///
/// With rough_kernel() the basis grows by rough products. Their errors enter the Ritz pairs in proportion to the
/// residual that the search started from, so each search gains six digits, and between two of them the Ritz vectors and
/// their residuals are computed with kernel() itself: two or three exact products in all (inexact Krylov methods:
/// Simoncini, Szyld, SIAM J. Sci. Comput. 25, 2003). Where the wanted values reach below what rough products resolve,
/// the search is done anew without them.
///
/// Deterministic in (seed, sample); results on different numbers of ranks agree to the tolerance. A search that goes on
/// from a state ends as it would have without the interruption: bit by bit on as many ranks and threads. Collective.
/// @throws CollectiveError(numerical) when the tolerance is not reached, naming the residual that was; (stopped) from a
/// product that was asked to stop, after safe_point has seen the state before that pass; what safe_point throws.
/// Cost: about 2 N^2 (6 d + 150) flops in products, and 10 N m^2 for a basis of m vectors. Memory per rank:
/// 16 N m / P bytes with m = 2 d + 12 blocks.
/// Source: thick-restart Lanczos (Wu, Simon, SIAM J. Matrix Anal. Appl. 22, 2000) in blocks.
[[nodiscard]] KrylovPairs krylov_pairs(const Communicator& comm, const KernelOperator& t, const KrylovOptions& options);

[[nodiscard]] KrylovSizes krylov_sizes(std::int64_t samples, const KrylovOptions& options);

}  // namespace stepwise
