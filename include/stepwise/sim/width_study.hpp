#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "stepwise/sim/pair_loss.hpp"
#include "stepwise/sim/perceptron.hpp"
#include "stepwise/sim/width_scaling.hpp"

namespace stepwise {

// How training depends on the width of a network: the same training at one width after the other, and from several
// draws of the weights. Each is a calculation of one rank.

/// Binary classification: the mean over samples of log(1 + exp(-y f)); one output.
struct Logistic {
  std::vector<double> sides;  ///< y, -1 or 1, of each sample
};
using StudyLoss = std::variant<PairLoss, Logistic>;

/// One network and how it is trained: gradient descent on all samples at once.
struct WidthRun {
  FullyConnected network;  ///< in NTK parameterisation where it is scaled
  std::uint64_t seed = 0;
  StudyLoss loss;
  double rate = 0;
  std::int64_t steps = 0;
  WidthScaling scaling = {};
  double ratio = 1;         ///< M / M*; 1: as it was drawn
  bool linearised = false;  ///< train its first-order expansion too
};

/// What a training has left. NaN: not known.
struct WidthResult {
  double steps = 0;  ///< that were made; fewer than asked for where it diverged
  double start_loss = 0;
  double loss = 0;
  double start_outputs = 0;     ///< root mean square of f_0
  double output_change = 0;     ///< of f_T - f_0
  double start_kernel = 0;      ///< ||Theta_0||_F / N
  double limit_distance = 0;    ///< ||Theta_0 - Theta||_F / ||Theta||_F, Theta of infinite width; NTK scaling alone
  double kernel_change = 0;     ///< ||Theta_T - Theta_0||_F / ||Theta_0||_F
  double feature_change = 0;    ///< the same of the Jacobians, Theta = J J^T
  double weight_distance = 0;   ///< ||theta_T - theta_0||
  double neuron_distance = 0;   ///< the largest of a neuron's own weights
  double linearised_error = 0;  ///< ||f_T - f_lin,T|| / ||f_T - f_0||
  double output_mean = 0;       ///< over samples and outputs
  double output_variance = 0;   ///< over samples and outputs
};

/// The numbers of a result one by one.
struct WidthStatistic {
  const char* name;
  const char* description;
  double WidthResult::*value;
};
constexpr std::array<WidthStatistic, 14> width_statistics{{
    {"steps", "steps made; fewer than asked for: the training diverged", &WidthResult::steps},
    {"start_loss", "loss before training", &WidthResult::start_loss},
    {"loss", "loss after training", &WidthResult::loss},
    {"start_outputs", "root mean square of the outputs before training", &WidthResult::start_outputs},
    {"output_change", "root mean square of the change of the outputs", &WidthResult::output_change},
    {"start_kernel", "||Theta_0||_F / N, Theta the tangent kernel, the mean over outputs", &WidthResult::start_kernel},
    {"limit_distance", "||Theta_0 - Theta||_F / ||Theta||_F, Theta the kernel of the infinitely wide network",
     &WidthResult::limit_distance},
    {"kernel_change", "||Theta_T - Theta_0||_F / ||Theta_0||_F", &WidthResult::kernel_change},
    {"feature_change", "||J_T - J_0||_F / ||J_0||_F, J the Jacobian of the outputs by the weights",
     &WidthResult::feature_change},
    {"weight_distance", "distance of all weights from their start", &WidthResult::weight_distance},
    {"neuron_distance", "the largest distance of a neuron's weights from their start", &WidthResult::neuron_distance},
    {"linearised_error", "||f_T - f_lin|| / ||f_T - f_0||, f_lin the network's first-order expansion trained alike",
     &WidthResult::linearised_error},
    {"output_mean", "mean of the outputs after training, over samples and outputs", &WidthResult::output_mean},
    {"output_variance", "variance of the outputs after training, over samples and outputs",
     &WidthResult::output_variance},
}};

/// Whether training ended before its time.
[[nodiscard]] inline bool diverged(const WidthRun& run, const WidthResult& result) {
  return result.steps < static_cast<double>(run.steps);
}

/// Trains on samples x (m x N, group by group). It has diverged where the loss is not finite, or beyond a thousand
/// times its start. Local: no other rank is involved. @throws Error(input) for a network or loss that does not fit,
/// Error(stopped) where the process was asked to stop. Cost: 8 flops a weight, sample and step, twice that for the
/// expansion too; with fewer samples than inputs m the first layer has N M weights only. Memory: 5 numbers a weight,
/// and m M.
[[nodiscard]] WidthResult train_width(const WidthRun& run, MatrixView<const double> x, const Pairing& pairing);

/// ||J - J_0||_F / ||J_0||_F of the Jacobians of two networks' outputs by the weights on samples x, each weight
/// counting as in the tangent kernel. Both are whole on this rank. Local.
[[nodiscard]] double feature_change(const TrainedNetwork& now, const TrainedNetwork& start, MatrixView<const double> x);

}  // namespace stepwise
