#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stepwise/dist/dist_matrix.hpp"

namespace stepwise {

/// A direct symmetric eigensolver.
enum class Eigensolver { elpa_two_stage, elpa_one_stage, scalapack };

/// "ELPA two-stage", "ELPA one-stage", "ScaLAPACK pdsyevd".
[[nodiscard]] std::string name(Eigensolver solver);

/// A symmetric matrix given by what a solver needs of it: solvers destroy their input, and checking needs it again.
struct SymmetricOperator {
  /// A new copy of A, both triangles. Collective.
  std::function<DistMatrix()> materialise;
  /// A V for an n x m matrix V. Collective.
  std::function<DistMatrix(const DistMatrix&)> apply;
};

/// How an eigensolution was found and how good it is, in units in which a healthy solver stays below one.
struct EigenReport {
  Eigensolver solver = Eigensolver::scalapack;
  double residual = 0;       ///< max_j ||A z_j - lambda_j z_j||_2 / (n eps ||A||_F)
  double orthogonality = 0;  ///< max_ij |Z^T Z - I| / (n eps)
  double sums = 0;  ///< max of |sum lambda - tr A| / (n eps ||A||_F) and |sum lambda^2 - ||A||_F^2| / (n eps ||A||_F^2)
  std::vector<std::string> rejected;  ///< solvers that ran before and failed these checks, with the numbers
};

struct Eigenpairs {
  std::vector<double> values;  ///< all n eigenvalues, descending, on every rank
  DistMatrix vectors;          ///< n x k, orthonormal, of the k largest eigenvalues
  EigenReport report;
};

/// Eigenvalues below this in magnitude are rounding: 100 n eps max |lambda|.
[[nodiscard]] inline double noise_floor(std::int64_t n, double largest) {
  return 100 * static_cast<double>(n) * std::numeric_limits<double>::epsilon() * largest;
}

/// Quality above which a result is mentioned to the user, and above which it is thrown away.
inline constexpr double suspicious_quality = 1;
inline constexpr double rejected_quality = 100;

/// The solvers to try, best first; nothing: solver_ladder() decides.
using EigensolverLadder = std::optional<std::vector<Eigensolver>>;

/// Which solvers may run on a layout, best first: ELPA hangs or fails where a process row or column owns nothing;
/// two-stage pays when at most half of the eigenvectors are wanted. A pure function of its arguments.
[[nodiscard]] std::vector<Eigensolver> solver_ladder(std::int64_t n, std::int64_t k, std::int64_t block,
                                                     GridShape grid);

/// The k algebraically largest eigenpairs of A, and all its eigenvalues; k = 0: these alone, in about half the time.
///
/// The matrix is scaled to largest entry 1 and negated (ELPA gives the smallest). Every result is checked by its
/// residual, its orthogonality and the sums of all eigenvalues (the latter alone if k = 0); one that fails is thrown
/// away and the next solver of the ladder tried. With more than 16 vectors residual and orthogonality are root mean
/// squares over random combinations of them.
///
/// Collective. @throws CollectiveError(numerical) when A is not finite or no solver gives a sound result.
/// Cost: (4/3) n^3 flops to tridiagonalise, 2 to 4 n^2 k for the vectors, 2 n^2 k to check.
/// Memory per rank: 2 + w local matrices (8 n^2 / P bytes each), w = 2.2 one-stage, 3.6 two-stage, 2.4 pdsyevd,
/// measured. Source: ELPA 2022.11 user's guide; ScaLAPACK pdsyevd.
[[nodiscard]] Eigenpairs largest_eigenpairs(const SymmetricOperator& a, std::int64_t k,
                                            EigensolverLadder ladder = std::nullopt);

}  // namespace stepwise
