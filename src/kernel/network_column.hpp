#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernel/hermite.hpp"
#include "kernel/pair_column.hpp"
#include "stepwise/kernel/network.hpp"

namespace stepwise {

/// The signals of `count` samples through layers that take vectors (affine layers and activations): what depends on one
/// sample alone.
template <class T>
class Signals {
 public:
  /// `variances` of the signals that enter. @throws Error(input) when an activation's quadrature does not converge.
  Signals(std::span<const Layer> layers, std::vector<double> variances);

  /// Square roots of the variances before layer `layer`, or behind the last.
  [[nodiscard]] const T* before(std::size_t layer) const noexcept {
    return lengths_.data() + static_cast<std::int64_t>(layer) * count_;
  }
  /// For a ScalarActivation.
  [[nodiscard]] const HermiteTable<T>& table(std::size_t layer) const noexcept { return tables_[layer]; }

 private:
  std::int64_t count_;
  std::vector<T> lengths_;               ///< (layers + 1) x count
  std::vector<HermiteTable<T>> tables_;  ///< of each layer, most of them empty
};

/// Takes the pairs of samples [first, first + count) of `rows` and `col` of `cols` through the layers; `pairs` is used
/// up, its ntk is what enters. Writes the kernel to `out`.
template <class T>
void network_column(std::span<const Layer> layers, NetworkKernel which, const Signals<T>& rows, std::int64_t first,
                    std::int64_t count, const Signals<T>& cols, std::int64_t col, PairColumn<T>& pairs, T* out);

}  // namespace stepwise
