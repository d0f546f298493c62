#include "stepwise/sim/dynamics.hpp"

#include <cmath>
#include <utility>

#include "sim/watch.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/dist/lapack.hpp"

namespace stepwise {

Dynamics correlation_dynamics(MatrixModel model, const Objective& objective) {
  if (objective.preconditioning) {
    const double a = *objective.preconditioning;
    if (!(a > 0)) fail(ExitCode::input, "preconditioning with {}: it must be above 0", a);
    if (!model.covariance) fail(ExitCode::input, "preconditioning needs a model with embeddings and their covariance");
  }
  Dynamics dynamics{model.outputs, model.columns, model.comm, {}};
  dynamics.velocity = [model = std::move(model), objective, y = std::vector<double>()](MatrixView<const double> x,
                                                                                       MatrixView<double> v) mutable {
    const std::int64_t d = model.outputs;
    y.resize(static_cast<std::size_t>(d * model.columns));
    const MatrixView<double> y_view{y.data(), d, model.columns, d};
    Moments moments = model.apply(x, y_view);
    LossOfC loss = evaluate(objective.loss, {moments.c.data(), d, d, d});
    if (objective.preconditioning) {
      for (std::int64_t j = 0; j < d; ++j) {
        moments.covariance[static_cast<std::size_t>(j * (d + 1))] += *objective.preconditioning;
      }
      auto solved = solve_positive({moments.covariance.data(), d, d, d}, {loss.gradient.data(), d, d, d});
      // Not positive definite: a state that is not finite, which the loss tells.
      loss.gradient = solved ? std::move(*solved) : std::vector<double>(static_cast<std::size_t>(d * d), std::nan(""));
    }
    gemm(-2, Transpose::no, {loss.gradient.data(), d, d, d}, Transpose::no, y_view, 0, v);
    return loss.loss;
  };
  return dynamics;
}

double stable_rate(double gamma_1) {
  return 1 / (4 * gamma_1);
}

Outcome descend(const Dynamics& dynamics, double rate, std::int64_t steps, Training& training) {
  const double start = training.time - rate * static_cast<double>(training.steps);
  const std::int64_t d = dynamics.outputs;
  std::vector<double> v(training.x.size());
  Outcome outcome;
  for (std::int64_t step = 0; step < steps; ++step) {
    outcome = watch(training,
                    dynamics.velocity({training.x.data(), d, dynamics.columns, d}, {v.data(), d, dynamics.columns, d}));
    if (outcome.diverged) return outcome;
    for (std::size_t i = 0; i < v.size(); ++i) training.x[i] += rate * v[i];
    ++training.steps;
    training.time = start + rate * static_cast<double>(training.steps);
  }
  return outcome;
}

}  // namespace stepwise
