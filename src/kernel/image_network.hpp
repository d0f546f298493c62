#pragma once

#include <cstdint>
#include <vector>

#include "kernel/image_column.hpp"
#include "stepwise/core/index.hpp"
#include "stepwise/core/matrix_view.hpp"
#include "stepwise/kernel/network.hpp"
#include "stepwise/kernel/samples.hpp"

namespace stepwise {

/// Convolutional networks: out(i, j) = k(x_i, y_j).
///
/// The state of a pair of images is |u_p - v_p'|^2 and the NTK of pixels p, p'. Convolutions and activations work on
/// each offset p' - p alone, so one offset after the other is taken through the layers up to the next pooling or the
/// readout, in the cache, several images y at once. A flatten readout needs offset 0 only. Local; thread-safe. Cost per
/// pair, P pixels: about 30 flops per layer and pixel pair, of which there are P with flatten and P^2 with gap; three
/// times the first for each image of the tile where layers are pooled or averaged. Memory: 8 (channels + 2 layers) P
/// numbers per image of the tile.
template <class T>
void evaluate_images(const Network& network, const BasicSamples<T>& x, Range rows, const BasicSamples<T>& y, Range cols,
                     MatrixView<T> out);

/// k(x_i, x_i) for i in `range`, lanes<T> images at once.
template <class T>
[[nodiscard]] std::vector<T> image_diagonal(const Network& network, const BasicSamples<T>& x, Range range);

}  // namespace stepwise
