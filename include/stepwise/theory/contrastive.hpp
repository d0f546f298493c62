#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "stepwise/core/timing.hpp"
#include "stepwise/dist/block_vector.hpp"
#include "stepwise/dist/dist_matrix.hpp"
#include "stepwise/dist/pairing.hpp"
#include "stepwise/kernel/kernel_product.hpp"
#include "stepwise/kernel/samples.hpp"
#include "stepwise/solve/eigensolver.hpp"
#include "stepwise/solve/krylov.hpp"

namespace stepwise {

/// How K is factored as W W^T before the eigensolve.
enum class Factorisation {
  cholesky,  ///< W = L with K + shift I = L L^T: n^3 / 3 flops
  spectral,  ///< W = U Lambda^{1/2} with K = U Lambda U^T: a full eigensolve, but the spectrum of K comes with it
};

/// W with K = W W^T, in units that make the largest entry of K about one.
struct Factor {
  DistMatrix w;
  double shift = 0;                 ///< that cholesky added
  std::vector<double> eigenvalues;  ///< of K, where spectral found them
};

/// Where a direct method may be stopped, and taken up again. All functions are collective, may be empty, and may throw
/// a CollectiveError to end the work there.
struct DirectSafePoints {
  /// Fills a factor, whose `w` has its shape and distribution, and says whether there was one.
  std::function<bool(Factor&)> resume = {};
  /// Told before each eigensolve, which cannot be interrupted, about how many seconds it will take; `factor` is what
  /// has been done by then, if anything.
  std::function<void(const Factor* factor, double seconds)> before_eigensolve = {};
};

/// How a direct method goes about it.
struct DirectOptions {
  Factorisation factorisation = Factorisation::cholesky;
  EigensolverLadder ladder = std::nullopt;  ///< the eigensolvers to try, best first; default: solver_ladder()
  Pairing pairing = {};
  double negative_mass = 0;  ///< spectral: K may have so much of negative eigenvalues (NegativePart::mass)
  bool all_dual = false;     ///< the dual vectors of every gamma too, also of negative ones, of either sign
  DirectSafePoints safe_points = {};
};

/// What a direct method knows beyond the leading modes: it computes the whole spectrum.
struct DirectReport {
  std::int64_t positive = 0;               ///< number of gamma above the noise floor
  std::int64_t rank = 0;                   ///< number of |gamma| above the noise floor
  double trace_error = 0;                  ///< |sum gamma - mean_pair_kernel| / max |gamma|
  double shift = 0;                        ///< what cholesky added to the diagonal of K; 0 for the others
  std::vector<double> kernel_eigenvalues;  ///< spectral only: eigenvalues of K, descending
  EigenReport eigensolve;                  ///< of the eigensolve for gamma
};

/// What an iterative method did.
struct KrylovReport {
  std::int64_t products = 0;      ///< vectors multiplied by K
  std::int64_t rounds = 0;        ///< passes over K
  std::int64_t rough_rounds = 0;  ///< those of them in single precision
  std::int64_t restarts = 0;
  double tolerance = 0;
};

/// How far a kernel matrix is from positive semidefinite.
struct NegativePart {
  double smallest = 0;     ///< the smallest eigenvalue of K, or an upper bound of it (0: none was negative)
  double mass = 0;         ///< sum |negative eigenvalues| / sum |eigenvalues|, or a lower bound of it
  bool estimated = false;  ///< the bounds, by Lanczos
};

/// From all eigenvalues of K, descending.
[[nodiscard]] NegativePart negative_part(const std::vector<double>& eigenvalues);

/// @throws CollectiveError(numerical) when the mass is above `allowed`. Call on all ranks with the same numbers.
void require_positive(const NegativePart& negative, double largest, double allowed);

/// The leading modes of the contrastive kernel K_Gamma = (1/c) K^{1/2} B K^{1/2}, with B and c of the pairing; for two
/// views (1/N) K^{1/2} P K^{1/2}.
struct ContrastiveModes {
  Pairing pairing;
  std::vector<double> gamma;  ///< descending: all N by a direct method, d by krylov; the first d are Rayleigh quotients
  BlockVector dual;           ///< A, d numbers a sample: T a_j = gamma_j a_j with T = (1/c) B K, and a_j^T K a_j = 1
  BlockVector kernel_dual;    ///< K A
  std::optional<DistMatrix>
      all_dual;  ///< where wanted: N x N, column j of gamma_j, 0 where that is below the noise floor
  std::optional<DistMatrix> kernel;  ///< K, where the caller keeps it
  BlockVector means;  ///< row means of K before centring (theory/centring.hpp); empty where it is not centred

  double noise_floor = 0;         ///< eigenvalues below this in magnitude are rounding: 100 N eps max |gamma|
  std::vector<double> residuals;  ///< d: ||T a_j - gamma_j a_j||_K / gamma_1, computed with K itself
  double mean_pair_kernel = 0;    ///< mean of k over views of the same thing, the sum of all N gamma
  std::variant<DirectReport, KrylovReport> report;
  std::optional<NegativePart> negative;  ///< where it was looked for
  std::vector<std::string> notes;        ///< what the user should know: retries, fallbacks, doubtful checks
  std::vector<StageTime> stages;         ///< where this rank's time went
};

/// "ELPA two-stage", "block Krylov in 14 rounds": what found the modes.
[[nodiscard]] std::string solver_name(const ContrastiveModes& modes);

/// What a mode's residual may be at most; the healthy value is 1e-14 to 1e-12.
inline constexpr double residual_limit = 1e-9;

/// Finds all gamma and the d leading modes of a kernel matrix of N = nV samples, numbered pair by pair.
///
/// K = W W^T and M = (1/c) W^T B W have the same nonzero spectrum as K_Gamma; M z = gamma z gives the dual vector
/// without any inverse, a = B W z / (c gamma), so a singular K (equal crops, equal views) is as good as any other. The
/// Cholesky shift, N eps ||K||_1 unless rounding needs more, moves gamma_j by shift |a_j|^2 gamma_j to first order; the
/// Rayleigh quotients with the unshifted K remove that order.
///
/// With d = 0 gamma alone is computed. options.all_dual costs all eigenvectors of M and 4 N^3 flops, and no memory at
/// the peak, which is in the eigensolve.
///
/// K may have negative eigenvalues of rounding. spectral takes larger ones too, where the sum of their magnitudes is at
/// most negative_mass of that of all, and solves for the positive part K+ = W W^T, the nearest semidefinite matrix.
///
/// Collective. @throws CollectiveError(input) when d is above the number of positive modes, saying how many there are;
/// also when K is zero or not finite; (numerical) when K is not positive semidefinite, or a result fails its checks.
/// Cost: cholesky 0.67 N^3 flops and one eigensolve for d vectors; spectral one more eigensolve for all N vectors and 2
/// N^3. Memory per rank beyond k, in local matrices of 8 N^2 / P bytes: W, M, Z and the eigensolver's workspace
/// (theory/cost.hpp). Source: Simon et al. 2023, section 5 and Prop. 5.1.
[[nodiscard]] ContrastiveModes contrastive_modes(const DistMatrix& k, std::int64_t d, const DirectOptions& options);

/// The d leading modes from explicit features, K = X X^T with the samples of `own` as this rank's rows of X, of which
/// there are N over all ranks: Gamma = (1/c) X^T B X is m x m, and with Gamma g = gamma g, |g| = 1, K a = X g,
/// a = B X g / (c gamma). The other N - m gammas are zero. `grid` and `block` lay Gamma out; d = 0 and `ladder` as
/// above.
///
/// Collective. @throws CollectiveError(input) when m > N, or d is above the number of positive modes; (numerical) when
/// a result fails its checks. Cost: N m^2 flops and an eigensolve of order m. Memory per rank: 512 m + 8 m d + 6 m^2 /
/// P numbers beyond the features. Source: Simon et al. 2023, eq. 4 and section 4.
[[nodiscard]] ContrastiveModes primal_modes(const Samples& own, const std::shared_ptr<const ProcessGrid>& grid,
                                            std::int64_t samples, std::int64_t block, std::int64_t d,
                                            const EigensolverLadder& ladder = std::nullopt,
                                            const Pairing& pairing = {});

/// T = (1/c) B K, self-adjoint in the inner product u^T K v.
[[nodiscard]] KernelOperator contrastive_operator(std::int64_t samples, ProductWithK kernel,
                                                  const Pairing& pairing = {});

/// The d = options.modes leading modes from products with K alone (krylov_pairs of contrastive_operator).
///
/// Collective. @throws CollectiveError(input) when there are fewer positive modes, saying how many; (numerical) when
/// the tolerance is not reached. Cost and memory: krylov_pairs. mean_pair_kernel is left to the caller.
[[nodiscard]] ContrastiveModes krylov_modes(const Communicator& comm, const KernelOperator& t,
                                            const KrylovOptions& options);

}  // namespace stepwise
