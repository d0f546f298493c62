#pragma once

#include "stepwise/sim/dynamics.hpp"

namespace stepwise {

/// Kernel regression by gradient: the loss is 1/(2N) sum_i |f(x_i) - y_i|^2, and df/dt = -(1/N) K (f - y) on the N
/// training samples. The state is A (d x this rank's samples), f(x, t) = f_0(x) + sum_i A_i(t) k(x_i, x), A(0) = 0,
/// dA/dt = -(1/N) (F - Y): no plateau, mode i of K is learned at the rate lambda_i / N. `f0` and `y` are dealt out
/// alike. Local. A step costs one product with K; `comm` must outlive it.
[[nodiscard]] Dynamics supervised_dynamics(ProductWithK product, BlockVector f0, BlockVector y,
                                           const Communicator& comm);

/// The largest stable rate, 2 N / lambda_1 with lambda_1 the largest eigenvalue of K.
[[nodiscard]] double supervised_stable_rate(double lambda_1, std::int64_t samples);

}  // namespace stepwise
