#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace stepwise {

// Closed-form training dynamics of one mode (Prop. 4.1, Result 4.6 of arXiv 2303.15438). gamma is the mode's
// eigenvalue, s(t) its singular value in W, lambda = gamma s^2 the eigenvalue of C it stands for; t = learning rate x
// steps. Pure functions.

/// s_j(0) for small random initial weights of standard deviation alpha: alpha sqrt(d - j + 1), j = 1..d (eq. 21).
[[nodiscard]] std::vector<double> small_random_initialisation(double alpha, std::int64_t modes);

/// s(t) = e^{4 g t} / sqrt(s0^-2 + (e^{8 g t} - 1) g), for any sign of g and any t >= 0 without overflow.
[[nodiscard]] double singular_value(double gamma, double s0, double t);

/// lambda(t) = gamma s(t)^2.
[[nodiscard]] double lambda(double gamma, double s0, double t);

/// tau = -log(s0^2 gamma) / (8 gamma) (eq. 16): when the mode is learned; gamma > 0. Negative if it starts learned.
[[nodiscard]] double timescale(double gamma, double s0);

/// Where lambda is exactly 1/2: log((1 - lambda_0) / lambda_0) / (8 gamma), lambda_0 = gamma s0^2 in (0, 1).
[[nodiscard]] double half_rise(double gamma, double s0);

/// What is predicted over time for the learned modes.
struct Trajectory {
  std::vector<double> time;    ///< T times, ascending, from 0
  std::vector<double> lambda;  ///< T x d, row-major
  std::vector<double> loss;    ///< T: sum_j (1 - lambda_j)^2
};

/// `points` times: 0, then evenly spaced in log t up to t_max. t_max = 0 chooses three times the last timescale, and
/// the first time is a hundredth of the first timescale, so that every step lies inside. gamma and s0 have d entries,
/// all positive.
[[nodiscard]] std::vector<double> time_grid(std::span<const double> gamma, std::span<const double> s0,
                                            std::int64_t points, double t_max);

/// lambda_j(t) and L(t) at the given times.
[[nodiscard]] Trajectory trajectory(std::span<const double> gamma, std::span<const double> s0,
                                    std::vector<double> time);

/// Number of modes not yet learned at time t: L just after t (eq. 20).
[[nodiscard]] std::int64_t modes_left(std::span<const double> tau, double t);

/// Squared RKHS norm of the embedding: sum_j 1 / gamma_j, the smallest among all zero-loss solutions (Prop. 5.1c).
[[nodiscard]] double rkhs_norm_squared(std::span<const double> gamma);

}  // namespace stepwise
