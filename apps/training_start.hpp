#pragma once

#include <vector>

#include "problem.hpp"
#include "simulate_config.hpp"
#include "training_kernel.hpp"

namespace stepwise {

/// The untrained model: f_0(x) = W(0) x + sum_i a_i k(x_i, x), of which one or the other is there, or f_0 is known on
/// the training samples alone.
struct TrainingStart {
  std::vector<double> weights;  ///< W(0), d x m column-major; empty: none
  BlockVector dual;             ///< a_i, d numbers a sample; empty: none
  BlockVector outputs;          ///< F_0
  /// Whether f_0 is known on new samples.
  [[nodiscard]] bool everywhere() const noexcept { return !weights.empty() || dual.width > 0; }
};

/// Entries N(0, alpha^2), each a function of (seed, row, column) alone; column-major.
[[nodiscard]] std::vector<double> draw_weights(std::int64_t seed, double alpha, std::int64_t rows, Range columns);

/// For --model linear: --training.start, or drawn. `own` are this rank's features. Collective.
/// @throws CollectiveError(input) for a start of another shape.
[[nodiscard]] TrainingStart linear_start(const SimulateConfig& config, const Problem& problem, const Samples& own,
                                         std::int64_t outputs);

/// For a model of any kernel. Where there are explicit features, W(0) as above. Else f_0 is a random function of the
/// kernel's space, a_i = c xi_i with xi_i in N(0, 1)^d a function of (seed, sample) and c such that the mean square of
/// F_0 is alpha^2 times the mean of k(x, x), that of a random linear readout of the features. Collective. Cost: one
/// product with K.
[[nodiscard]] TrainingStart kernel_start(const SimulateConfig& config, const Problem& problem,
                                         const TrainingKernel& kernel, std::int64_t outputs);

/// W x on some features, d x count column-major. Local.
[[nodiscard]] std::vector<double> read_out(const std::vector<double>& weights, std::int64_t outputs,
                                           const Samples& samples);

}  // namespace stepwise
