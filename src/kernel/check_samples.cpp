#include <algorithm>

#include "kernel/composite.hpp"
#include "kernel/network_column.hpp"
#include "stepwise/kernel/evaluate.hpp"

namespace stepwise {
namespace {

bool by_quadrature(const Layer& layer) {
  const auto* activation = std::get_if<Activation>(&layer);
  return activation != nullptr && std::holds_alternative<ScalarActivation>(*activation);
}

struct Check {
  const Samples& samples;

  void operator()(const Network& network) const {
    if (std::none_of(network.layers.begin(), network.layers.end(), by_quadrature)) return;
    if (has_image_layers(network)) {
      (void)diagonal(Kernel(network), samples, {0, samples.count});
      return;
    }
    // The longest sample has the largest signals in every layer.
    const double largest = *std::max_element(samples.squared_norms.begin(), samples.squared_norms.end());
    (void)Signals<double>(network.layers, {largest / static_cast<double>(samples.features)});
  }
  void operator()(const NormalisedKernel& k) const { check_samples(k.of->kernel, samples); }
  void operator()(const KernelSum& k) const {
    for (const KernelTerm& term : k.terms) {
      for (const KernelPart& part : term.factors) check_samples(part->kernel, samples);
    }
  }
  void operator()(const MultimodalKernel& k) const {
    check_samples(k.a->kernel, modality(samples, {0, samples.count}, 0, k.features_a).samples);
    check_samples(k.b->kernel, modality(samples, {0, samples.count}, 1, k.features_b).samples);
  }
  template <class Simple>
  void operator()(const Simple&) const {}
};

}  // namespace

void check_samples(const Kernel& kernel, const Samples& samples) {
  if (samples.count > 0) std::visit(Check{samples}, kernel);
}

}  // namespace stepwise
