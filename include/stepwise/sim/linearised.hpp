#pragma once

#include <span>
#include <vector>

#include "stepwise/sim/optimiser.hpp"

namespace stepwise {

/// A network replaced by its first-order expansion about its start, f_lin(x) = f(x; w_0) + J(x; w_0) (w - w_0), and
/// trained as such: what a network would do whose tangent kernel stayed that of its start.
struct LinearisedTraining {
  TrainedNetwork start;
  NetworkTraining moving;          ///< network: w; pass: the start's, of the batch
  std::vector<double> difference;  ///< w - w_0
  NetworkPass tangents;            ///< signals: dh_l
};

/// Local. Memory: the parameters four times, five with momentum.
[[nodiscard]] LinearisedTraining begin_linearised(const TrainedNetwork& start, const Optimiser& optimiser);

/// Expands the network about its start for samples x (m x this data rank's): to be called for every new batch, once
/// where the batch stays. Collective over `width`. Cost: a forward pass.
void expand(LinearisedTraining& training, const Communicator& width, MatrixView<const double> x);

/// f_lin of the samples expanded last, into `f` (d x samples). Collective over `width`. Cost: 4 flops per weight and
/// sample, 2 in the first layer.
void linearised_outputs(LinearisedTraining& training, const Communicator& width, MatrixView<const double> x,
                        std::span<double> f);

/// As train() of a network, on the samples expanded last. Collective.
double train(LinearisedTraining& training, const TrainingGrid& grid, MatrixView<const double> x, const PairLoss& loss,
             const Pairing& pairing, const Optimiser& optimiser);

}  // namespace stepwise
