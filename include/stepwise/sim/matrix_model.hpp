#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "stepwise/core/matrix_view.hpp"
#include "stepwise/dist/block_vector.hpp"
#include "stepwise/dist/pairing.hpp"
#include "stepwise/kernel/kernel_product.hpp"
#include "stepwise/kernel/samples.hpp"

namespace stepwise {

/// Second moments of the embeddings F (d x N) of the training samples, d x d, the same on every rank.
struct Moments {
  std::vector<double> c;           ///< C = (1/c) F B F^T, symmetric to the bit
  std::vector<double> covariance;  ///< F F^T / N, of models that were asked for it
};

/// A model whose d outputs are linear in its state X, trained by a loss of C alone: dX/dt = -2 (dL/dC) Y(X).
struct MatrixModel {
  std::int64_t outputs = 0;            ///< d
  std::int64_t columns = 0;            ///< of this rank's part of the state, d x columns
  bool shared = false;                 ///< every rank holds the same state; else its columns are dealt out
  bool covariance = false;             ///< whether Moments::covariance is there
  const Communicator* comm = nullptr;  ///< must outlive this
  /// Sets y to Y(X). Collective.
  std::function<Moments(MatrixView<const double> x, MatrixView<double> y)> apply;
  /// The embeddings of this rank's training samples, d x samples. Collective. Empty for diagonal_model().
  std::function<void(MatrixView<const double> x, MatrixView<double> f)> embed;
};

/// f(x) = W x: X = W (d x m, shared), Y = W Gamma, Gamma = (1/c) Phi^T B Phi. `own` holds the features of this rank's
/// samples, sample_share(comm, samples, pairing.views); it must outlive the model. Collective.
///
/// Where m is at most 3N/2 and the covariance is not wanted, half of Gamma is stored: N m^2 flops once, 2 d m^2 a step
/// over all ranks; memory per rank 4 m^2 / P bytes, twice that and `own` meanwhile. Else 4 d m N flops a step in one
/// pass over the features. One reduction of d m numbers a step. @throws CollectiveError(memory).
[[nodiscard]] MatrixModel linear_model(const Samples& own, std::int64_t outputs, std::int64_t samples,
                                       const Communicator& comm, const Pairing& pairing, bool covariance = false);

/// Any kernel: X = A (d x this rank's samples), the dual coefficients of what training has added,
/// f(x, t) = f_0(x) + sum_i A_i(t) k(x_i, x), so F = F_0 + A K and Y = (1/c) F B; A(0) = 0. This is
/// dF/dt = (4/c) (I - C) F B K for the plain loss, and gives new samples too. Local. A step costs one product with K.
[[nodiscard]] MatrixModel kernel_model(ProductWithK product, BlockVector f0, const Communicator& comm,
                                       const Pairing& pairing, bool covariance = false);

/// The model in its own modes: X = A(t) (d x m, shared), Y = A Lambda, C = A Lambda A^T with Lambda = diag(gamma)
/// (eq. 45 to 48; the time of eq. 48 is 4 t). Local.
[[nodiscard]] MatrixModel diagonal_model(std::vector<double> gamma, std::int64_t outputs, const Communicator& comm);

}  // namespace stepwise
