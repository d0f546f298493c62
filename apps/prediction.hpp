#pragma once

#include <optional>
#include <vector>

#include "simulate_config.hpp"
#include "stepwise/theory/alignment.hpp"
#include "stepwise/theory/timescales.hpp"
#include "study.hpp"
#include "training_run.hpp"

namespace stepwise {

/// The learning rate of --training.method descent: as given, or a twentieth of the largest stable one without momentum
/// m, times 1 - m, so that m changes little of how far training comes in a step; nothing for flow.
[[nodiscard]] std::optional<double> learning_rate(const SimulateConfig& config, double largest_stable);

/// Warns of a rate above the largest stable one, and refuses one above twice that unless --training.steps says how far
/// it is to go. `formula` is what the stable one is. Collective. @throws CollectiveError(input).
void check_rate(const Study& study, const std::optional<double>& rate, double stable, const std::string& formula);

/// When to record what, from what the theory expects of modes that start at s0: as --training.steps, .time and
/// --record.* say, where they do not, until the last mode is learned. The same on all ranks.
/// @throws Error(input) when a mode that starts at zero leaves no end, or as spread_moments() does.
[[nodiscard]] Schedule make_schedule(const SimulateConfig& config, const std::vector<double>& gamma,
                                     const std::vector<double>& s0, const std::optional<double>& rate);

/// A schedule that ends at `end`; the first times are a hundredth of `first`. @throws Error(input) for no step at all,
/// or, unless --training.steps asks for them, more than 10^8.
[[nodiscard]] Schedule spread_moments(const SimulateConfig& config, double first, double end,
                                      const std::optional<double>& rate);

/// What the theory says of a training run: f(x, t) = U S(t) A^T k(x) (eq. 40), exact where the initial weights are
/// aligned with the modes, and up to their size where they are small.
struct Prediction {
  std::vector<double> gamma;       ///< d
  InitialCondition start;          ///< S(0) and U
  std::vector<double> half_rise;   ///< d: when lambda_j rises to 1/2; NaN where it starts there or above
  std::vector<double> s;           ///< T x d, row-major: s_j, of gradient flow or of descent, as is trained
  Trajectory path;                 ///< lambda_j = gamma_j s_j^2 and the loss, of the same
  std::optional<Trajectory> flow;  ///< descent: those of gradient flow, the limit of small rates
};

/// `momentum`: of descent. Collective. Cost: d values for each moment; of descent 7 d flops for each step.
/// @throws CollectiveError(stopped).
[[nodiscard]] Prediction predict(const Communicator& comm, std::vector<double> gamma, InitialCondition start,
                                 const Schedule& schedule, const std::optional<double>& rate, double momentum = 0);

/// Warns where modes have risen to 1/2 before training starts.
void warn_of_large_start(const Study& study, const Prediction& prediction);

/// f at a moment from the final embedding f_j = gamma_j^{-1/2} A_j^T k(x), whose samples stay where they are. Local.
[[nodiscard]] BlockVector predicted_embeddings(const Prediction& prediction, std::int64_t record,
                                               const BlockVector& final_embedding);

/// ||f - g|| / ||g|| over all samples. Collective.
[[nodiscard]] double relative_distance(const BlockVector& f, const BlockVector& g, const Communicator& comm);

/// Lets a simulation record the prediction beside what is measured, and how far the two are apart.
void record_prediction(Simulation& simulation, const Prediction& prediction);

}  // namespace stepwise
