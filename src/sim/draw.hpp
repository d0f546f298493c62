#pragma once

#include <cstdint>

#include "stepwise/sim/perceptron.hpp"

namespace stepwise {

/// Numbers from N(0, weights^2) and N(0, biases^2) for what layer l keeps on this rank: a function of (seed, l, neuron)
/// alone. Local.
void draw_layer(TrainedNetwork& network, std::size_t l, double weights, double biases, std::uint64_t seed);

}  // namespace stepwise
