#include <fmt/format.h>

#include <array>
#include <cmath>

#include "kernel_formula.hpp"
#include "solve_config.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/kernel/network_text.hpp"

namespace stepwise {

namespace {

Network make_network(const SolveConfig& c, const ImageShape& shape) {
  NetworkDefaults defaults{.hidden = {c.kernel.weight_variance, c.kernel.bias_variance},
                           .readout = {*c.kernel.readout_weight_variance, *c.kernel.readout_bias_variance}};
  try {
    defaults.activation = parse_activation(c.kernel.activation);
  } catch (const Error& error) {
    fail(ExitCode::input, "--kernel.activation {}", error.what());
  }
  if (c.kernel.activation == "leaky-relu") defaults.activation = Rectifier{c.kernel.slope};
  Network network{c.kernel.type == "nngp" ? NetworkKernel::nngp : NetworkKernel::ntk, {}, shape};
  try {
    network.layers = parse_layers(c.kernel.network, defaults);
  } catch (const Error& error) {
    fail(ExitCode::input, "--kernel.network: {}", error.what());
  }
  validate(network);
  if (c.kernel.parameterization == "standard") {
    use_standard_parameterisation(network, c.kernel.width, shape.size());
  }
  constexpr std::array conventions{std::pair("neural-tangents", Convention::neural_tangents),
                                   std::pair("cntk", Convention::cntk), std::pair("cntk-fixed", Convention::cntk_fixed),
                                   std::pair("uci", Convention::uci), std::pair("scikit-ntk", Convention::scikit_ntk)};
  for (const auto& [name, convention] : conventions) {
    if (c.convention == name) use_convention(network, convention, shape.size());
  }
  return network;
}

}  // namespace

Kernel make_kernel(SolveConfig& c, const ImageShape& shape) {
  if (c.kernel.length_scale == 0) c.kernel.length_scale = std::sqrt(static_cast<double>(shape.size()));
  c.kernel.readout_weight_variance = c.kernel.readout_weight_variance.value_or(c.kernel.weight_variance);
  c.kernel.readout_bias_variance = c.kernel.readout_bias_variance.value_or(c.kernel.bias_variance);
  const bool network = is_network_name(c.kernel.type);
  if (network && c.kernel.network == "auto") c.kernel.network = fmt::format("fc-{}", c.kernel.depth);
  Kernel kernel = LinearKernel{};
  if (c.kernel.type == "polynomial") kernel = PolynomialKernel{c.kernel.degree, c.kernel.offset};
  if (c.kernel.type == "rbf") kernel = RbfKernel{c.kernel.length_scale};
  if (c.kernel.type == "laplace") kernel = LaplaceKernel{c.kernel.length_scale};
  if (network) kernel = make_network(c, shape);
  validate(kernel);
  return kernel;
}

FiniteNetworks finite_networks(const SolveConfig& c, const Kernel& kernel) {
  return {std::get<Network>(kernel), c.kernel.width, c.kernel.networks, c.kernel.outputs,
          c.kernel.multi_output == "trace" ? MultiOutput::trace : MultiOutput::scalar};
}

}  // namespace stepwise
