#include "stepwise/kernel/tile_shape.hpp"

#include <algorithm>
#include <variant>

namespace stepwise {
namespace {

enum class EntryCost { products, pixels, pixel_pairs };

EntryCost cost(const Kernel& kernel);

struct Cost {
  EntryCost operator()(const Network& network) const {
    if (!has_image_layers(network)) return EntryCost::products;
    const bool global = std::any_of(network.layers.begin(), network.layers.end(),
                                    [](const Layer& layer) { return std::holds_alternative<GlobalAverage>(layer); });
    return global ? EntryCost::pixel_pairs : EntryCost::pixels;
  }
  EntryCost operator()(const NormalisedKernel& k) const { return cost(k.of->kernel); }
  EntryCost operator()(const KernelSum& k) const {
    EntryCost most = EntryCost::products;
    for (const KernelTerm& term : k.terms) {
      for (const KernelPart& part : term.factors) most = std::max(most, cost(part->kernel));
    }
    return most;
  }
  EntryCost operator()(const MultimodalKernel& k) const { return std::max(cost(k.a->kernel), cost(k.b->kernel)); }
  template <class Simple>
  EntryCost operator()(const Simple&) const {
    return EntryCost::products;
  }
};

EntryCost cost(const Kernel& kernel) {
  return std::visit(Cost{}, kernel);
}

}  // namespace

TileShape tile_shape(const Kernel& kernel) {
  switch (cost(kernel)) {
    case EntryCost::pixels:
      return {256, 256, 64};
    case EntryCost::pixel_pairs:
      return {64, 32, 64};
    case EntryCost::products:
      break;
  }
  return {512, 1024, 128};
}

}  // namespace stepwise
