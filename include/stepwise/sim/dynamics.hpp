#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "stepwise/sim/correlation_loss.hpp"
#include "stepwise/sim/matrix_model.hpp"

namespace stepwise {

/// Training as motion of a state X along dX/dt = v(X), t = learning rate x steps.
struct Dynamics {
  std::int64_t outputs = 0;            ///< d, the rows of the state
  std::int64_t columns = 0;            ///< of this rank's part of the state
  const Communicator* comm = nullptr;  ///< must outlive this
  /// Sets v to v(X) and returns the loss at X, the same on every rank. Collective.
  std::function<double(MatrixView<const double> x, MatrixView<double> v)> velocity;
};

/// What is minimised, and in which metric.
struct Objective {
  CorrelationLoss loss = {};
  /// a: the gradient in embedding space is multiplied by (F F^T / N + a I)^{-1}, F being the d x N embeddings of the
  /// training samples, so directions that hardly vary yet grow as fast as those that do (App. G). Needs a model with
  /// covariance.
  std::optional<double> preconditioning = std::nullopt;
};

/// dX/dt = -2 (dL/dC) Y, for the plain loss 4 (I - C) Y (eq. 6); preconditioned -2 (F F^T / N + a I)^{-1} (dL/dC) Y.
/// @throws Error(input) when preconditioning is asked for and a is not positive or the model has no covariance.
[[nodiscard]] Dynamics correlation_dynamics(MatrixModel model, const Objective& objective);

/// The largest learning rate at which the plain loss is stable, 1 / (4 gamma_1): lambda = gamma s^2 and
/// ds/dt = 4 gamma (1 - lambda) s give d(lambda - 1)/dt = -8 gamma (lambda - 1) near C = I, and steps of
/// rate 8 gamma_1 must stay below 2.
[[nodiscard]] double stable_rate(double gamma_1);

/// A training run. All of it is what a run needs to go on bit by bit as if it had not been interrupted.
struct Training {
  std::vector<double> x;  ///< this rank's part of the state, outputs x columns
  double time = 0;
  std::int64_t steps = 0;
  double step_size = 0;                             ///< of flow(); 0: not known yet
  std::optional<double> start_loss = std::nullopt;  ///< known after the first step
};

/// How far a call has come.
struct Outcome {
  double loss = 0;        ///< before the last step; where training diverged, that at training.x
  bool diverged = false;  ///< the loss is not finite or beyond its start; training.steps says where
};

/// `steps` steps of gradient descent, X <- X + rate v(X), or fewer where it diverges. Collective. Memory per rank: as
/// much as the state.
Outcome descend(const Dynamics& dynamics, double rate, std::int64_t steps, Training& training);

}  // namespace stepwise
