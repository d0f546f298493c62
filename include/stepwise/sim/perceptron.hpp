#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/core/matrix_view.hpp"
#include "stepwise/dist/communicator.hpp"
#include "stepwise/kernel/network.hpp"

namespace stepwise {

/// Ranks as a data x width grid: samples are dealt out over the ranks of `data`, which have the same neurons, neurons
/// over the ranks of `width`, which have the same samples. Ranks of one `width` are neighbours.
struct TrainingGrid {
  Communicator all;
  Communicator data;
  Communicator width;
};

/// Collective. @throws CollectiveError(input) when `width_ranks` does not divide the number of ranks.
[[nodiscard]] TrainingGrid make_training_grid(const Communicator& comm, int width_ranks);

/// The samples of this data rank, in whole groups: those that sample_share() gives its ranks, together.
[[nodiscard]] Range batch_share(const TrainingGrid& grid, std::int64_t samples, std::int64_t group);

/// A fully connected network to be trained.
struct FullyConnected {
  Network layers;            ///< affine layers with an activation between each two
  std::int64_t inputs = 0;   ///< m
  std::int64_t width = 0;    ///< M, of every hidden layer
  std::int64_t outputs = 0;  ///< d
  double alpha = 1;          ///< factor of the readout's initial weights and biases
};

/// One affine layer z = W^T h + b as this rank keeps it: W is inputs x outputs, of a hidden layer `own` is a range of
/// its outputs, of the readout one of its inputs; its biases are then on every rank.
struct TrainedLayer {
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  Range own;
  bool readout = false;
  Range weights;         ///< place in parameters, column-major rows() x cols()
  Range biases;          ///< place in parameters; empty: none
  double rate = 1;       ///< factor of the learning rate of W
  double bias_rate = 1;  ///< and of b

  [[nodiscard]] std::int64_t rows() const noexcept { return readout ? own.size() : inputs; }
  [[nodiscard]] std::int64_t cols() const noexcept { return readout ? outputs : own.size(); }
  /// Some rows of W, or of another vector laid out as the parameters.
  [[nodiscard]] MatrixView<const double> matrix(const std::vector<double>& parameters, Range some) const noexcept {
    return {parameters.data() + weights.begin + some.begin, some.size(), cols(), rows()};
  }
};

/// A network during training. W = sqrt(w / fan_in) times numbers from N(0, 1) are the effective weights, so that
/// parameterisations differ by rates alone: if W = c theta and theta is trained, W moves with c^2 the rate. The rate is
/// the layer's tangent weight / fan_in (w / fan_in in NTK, 1 in standard parameterisation), its bias's tangent bias.
struct TrainedNetwork {
  std::vector<TrainedLayer> layers;
  std::vector<Activation> activations;
  std::vector<double> parameters;  ///< this rank's weights and biases of all layers

  [[nodiscard]] std::int64_t inputs() const noexcept { return layers.front().inputs; }
  [[nodiscard]] std::int64_t outputs() const noexcept { return layers.back().outputs; }
};

/// Draws the weights: a function of (seed, layer, neuron) alone, neurons of the readout being those it reads.
/// Local. @throws Error(input) when the network is not fully connected, nothing in it is trained, or a size is below 1.
/// Memory per rank: about 8 (m M + (L - 1) M^2 + M d) / (width ranks) bytes.
[[nodiscard]] TrainedNetwork draw_perceptron(const FullyConnected& of, const Communicator& width, std::uint64_t seed);

/// The numbers of one batch on its way through the network. Kept from step to step, it allocates once.
struct NetworkPass {
  /// h_l = phi(z_l), l = 1 .. L: each width rank's rows (its neurons) x samples behind the other's. Of h_L only this
  /// rank's part is there.
  std::vector<std::vector<double>> signals;
  std::vector<std::vector<double>> slopes;  ///< phi'(z_l), own neurons x samples
  std::vector<double> outputs;              ///< f, d x samples
  std::vector<double> back, next, partial;  ///< what back_propagate() works with
};

/// f and all that backward() needs for samples x (m x this data rank's samples). Collective over `width`. Cost: 2 flops
/// per weight and sample; messages: all signals but the last hidden layer's, and f.
void forward(const TrainedNetwork& network, const Communicator& width, MatrixView<const double> x, NetworkPass& pass);

/// The gradient of L by the parameters, of this data rank's samples alone, from dL/df (d x samples) of the same pass; 0
/// for what is not trained. Collective over `width`. Cost: 4 flops per weight and sample, 2 in the first layer.
void backward(const TrainedNetwork& network, const Communicator& width, MatrixView<const double> x, NetworkPass& pass,
              MatrixView<const double> by_output, std::span<double> gradient);

/// For `columns` vectors g a sample (by_output, d x columns * samples, sample by sample) the signals
/// d_l = (df/dz_l)^T g of the hidden layers: visit(l, own neurons x columns * samples) from the last to the first.
/// Collective over `width`.
void back_propagate(const TrainedNetwork& network, const Communicator& width, NetworkPass& pass,
                    MatrixView<const double> by_output, std::int64_t columns,
                    const std::function<void(std::size_t, MatrixView<const double>)>& visit);

/// h_{l-1}, which enters affine layer l (from 0), in parts: rows of the layer's weights and the numbers for them.
struct EnteringPart {
  Range rows;
  MatrixView<const double> numbers;
};
[[nodiscard]] std::vector<EnteringPart> entering(const TrainedNetwork& network, std::size_t layer,
                                                 const Communicator& width, MatrixView<const double> x,
                                                 const NetworkPass& pass);

/// How many numbers a hidden layer of so many neurons has on each width rank for `columns` columns.
[[nodiscard]] std::vector<std::int64_t> neuron_counts(std::int64_t neurons, std::int64_t columns,
                                                      const Communicator& width);

/// ||theta - theta_0|| of each layer and of all, theta = W / sqrt(rate) being the numbers that are trained. Equal on
/// all ranks. Collective over `width`.
struct WeightDistance {
  std::vector<double> layers;
  double total = 0;
};
[[nodiscard]] WeightDistance weight_distance(const TrainedNetwork& network, std::span<const double> start,
                                             const Communicator& width);

}  // namespace stepwise
