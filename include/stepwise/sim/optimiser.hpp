#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "stepwise/sim/pair_loss.hpp"
#include "stepwise/sim/perceptron.hpp"

namespace stepwise {

/// v <- momentum v + (r g + weight_decay w), w <- w - rate v; g = dL/dw, r the layer's rate factor. Biases do not
/// decay. With LARS (You, Gitman, Ginsburg 2017) what is added to v is multiplied by trust ||w|| / ||r g + weight_decay
/// w|| for the weights of each layer (1 where either is 0), not for biases; the norm below is that of the sum.
struct Optimiser {
  double rate = 1e-3;
  double momentum = 0;
  double weight_decay = 0;
  bool lars = false;
  double trust = 1e-3;
};

/// @throws Error(input) naming the option out of range.
void validate(const Optimiser& optimiser);

/// One step from the gradient summed over data ranks; `velocity` is as long as the parameters, or empty without
/// momentum. Collective over `width` with LARS, else local. Cost: 3 to 5 numbers of memory traffic a parameter.
void take_step(const Optimiser& optimiser, TrainedNetwork& network, std::span<const double> gradient,
               std::span<double> velocity, const Communicator& width);

/// Groups (pairs) of the batch of step `step` = 0, 1, ..: all of them in order where batch = groups; else each epoch is
/// a permutation of all that is a function of (seed, epoch) alone, cut into batches, what is left over being skipped.
/// Pure. Cost: O(groups).
[[nodiscard]] std::vector<std::int64_t> batch_groups(std::int64_t groups, std::int64_t batch, std::uint64_t seed,
                                                     std::int64_t step);

/// Where a training stands; what a checkpoint must hold is network.parameters, velocity and step.
struct NetworkTraining {
  TrainedNetwork network;
  std::vector<double> velocity;
  std::int64_t step = 0;
  NetworkPass pass;
  std::vector<double> by_output;
  std::vector<double> gradient;
};

/// Local.
[[nodiscard]] NetworkTraining begin_network_training(TrainedNetwork network, const Optimiser& optimiser);

/// One step on the batch x (m x this data rank's samples, whole groups); returns its loss before the step. Equal on all
/// ranks. Collective over the grid. Cost: 6 flops per weight and sample, 4 in the first layer, and a sum of all
/// parameters over the data ranks. Memory: the gradient, as large as the parameters.
double train(NetworkTraining& training, const TrainingGrid& grid, MatrixView<const double> x, const PairLoss& loss,
             const Pairing& pairing, const Optimiser& optimiser);

/// Loss and its gradient by the parameters, summed over data ranks (training.gradient), without a step. Collective.
double loss_gradient(NetworkTraining& training, const TrainingGrid& grid, MatrixView<const double> x,
                     const PairLoss& loss, const Pairing& pairing);

/// The largest |eigenvalue| of R^(1/2) H R^(1/2), H the Hessian of the loss at the parameters and R the layers' rates,
/// by power iteration with central differences of gradients. Collective. Cost: `iterations` times 2 gradients.
[[nodiscard]] double sharpness(const TrainedNetwork& network, const TrainingGrid& grid, MatrixView<const double> x,
                               const PairLoss& loss, const Pairing& pairing, int iterations = 30);

/// The largest stable rate where the loss curves most by `sharpness`: 2 (1 + momentum) / sharpness.
[[nodiscard]] inline double stable_rate_at(double sharpness, double momentum) {
  return 2 * (1 + momentum) / sharpness;
}

}  // namespace stepwise
