#pragma once

#include <optional>
#include <vector>

#include "simulate_config.hpp"
#include "stepwise/theory/alignment.hpp"
#include "stepwise/theory/timescales.hpp"
#include "training_run.hpp"

namespace stepwise {

/// The learning rate of --training.method descent: as given, or a twentieth of the largest stable one without momentum
/// m, times 1 - m, so that m changes little of how far training comes in a step; nothing for flow.
[[nodiscard]] std::optional<double> learning_rate(const SimulateConfig& config, double largest_stable);

/// When to record what, from what the theory expects of modes that start at s0: as --training.steps, .time and
/// --record.* say, where they do not, until the last mode is learned. The same on all ranks.
/// @throws Error(input) when a mode that starts at zero leaves no end.
[[nodiscard]] Schedule make_schedule(const SimulateConfig& config, const std::vector<double>& gamma,
                                     const std::vector<double>& s0, const std::optional<double>& rate);

/// A schedule that ends at `end`; the first times are a hundredth of `first`.
[[nodiscard]] Schedule spread_moments(const SimulateConfig& config, double first, double end,
                                      const std::optional<double>& rate);

/// What the theory says of a training run: f(x, t) = U S(t) A^T k(x) (eq. 40), exact where the initial weights are
/// aligned with the modes, and up to their size where they are small.
struct Prediction {
  std::vector<double> gamma;       ///< d
  InitialCondition start;          ///< S(0) and U
  std::vector<double> half_rise;   ///< d: when lambda_j is 1/2
  std::vector<double> s;           ///< T x d, row-major: s_j, of gradient flow or of descent, as is trained
  Trajectory path;                 ///< lambda_j = gamma_j s_j^2 and the loss, of the same
  std::optional<Trajectory> flow;  ///< descent: those of gradient flow, the limit of small rates
};

/// `momentum`: of descent.
[[nodiscard]] Prediction predict(std::vector<double> gamma, InitialCondition start, const Schedule& schedule,
                                 const std::optional<double>& rate, double momentum = 0);

/// f at a moment from the final embedding f_j = gamma_j^{-1/2} A_j^T k(x), whose samples stay where they are. Local.
[[nodiscard]] BlockVector predicted_embeddings(const Prediction& prediction, std::int64_t record,
                                               const BlockVector& final_embedding);

/// ||f - g|| / ||g|| over all samples. Collective.
[[nodiscard]] double relative_distance(const BlockVector& f, const BlockVector& g, const Communicator& comm);

/// Lets a simulation record the prediction beside what is measured, and how far the two are apart.
void record_prediction(Simulation& simulation, const Prediction& prediction);

}  // namespace stepwise
