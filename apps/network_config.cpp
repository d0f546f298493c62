#include "network_config.hpp"

#include <algorithm>
#include <charconv>

#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

constexpr double largest = 1e100;

/// The three weights of --training.vicreg.
VicReg vicreg_of(const std::string& text) {
  std::vector<double> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    while (at != end && (*at == ' ' || *at == ',')) ++at;
    if (at == end) break;
    double number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc()) break;
    numbers.push_back(number);
    at = next;
  }
  if (at != end || numbers.size() != 3) {
    fail(ExitCode::input,
         "--training.vicreg is '{}', must be three numbers: weights of invariance, variance, covariance", text);
  }
  VicReg loss;
  loss.invariance = numbers[0];
  loss.variance = numbers[1];
  loss.covariance = numbers[2];
  if (loss.invariance == 0 && loss.variance == 0 && loss.covariance == 0) {
    fail(ExitCode::input, "--training.vicreg is '{}', a loss of nothing: give at least one weight above 0", text);
  }
  return loss;
}

}  // namespace

std::vector<Option> network_options(SimulateConfig& c) {
  auto& n = c.network;
  return {
      integer_option("training.batch", "N", "network: pairs in a minibatch; 0: all", n.batch, 0, std::int64_t{1} << 31),
      real_option("training.momentum", "M", "network: of heavy-ball descent", n.momentum, 0, 0.999999),
      real_option("training.weight-decay", "W", "network: of weights, not biases", n.weight_decay, 0, largest),
      flag_option("training.lars", "network: rates of layers in proportion to their weights' norm (LARS)", n.lars),
      real_option("training.trust", "T", "network: what LARS multiplies that norm with", n.trust, 1e-300, largest),
      auto_option("training.width-ranks", "R",
                  "network: ranks that share the neurons of a sample; auto: all where that moves fewer numbers",
                  n.width_ranks, 1, std::int64_t{1} << 31),
      real_option("training.off-diagonal", "L", "barlow-twins: weight of the off-diagonal terms", n.off_diagonal, 0,
                  largest),
      real_option("training.temperature", "T", "simclr: temperature", n.temperature, 0.005, largest),
      text_option("training.vicreg", "I,V,C", "vicreg: weights of invariance, variance and covariance", n.vicreg),
  };
}

std::vector<std::string> network_losses() {
  return {"plain", "barlow-twins", "simclr", "vicreg", "spectral"};
}

SolveConfig infinite_counterpart(SolveConfig config) {
  if (config.kernel.parameterization != "standard") config.kernel.width = 0;
  return config;
}

void check_network(const SimulateConfig& c) {
  const auto& kernel = c.problem.kernel;
  if (kernel.type != "ntk") {
    fail(ExitCode::input,
         "--kernel.type is {}, but --model network is described by --kernel.depth, --kernel.width and so on of type "
         "ntk, "
         "and predicted from its own tangent kernel: leave it out",
         kernel.type);
  }
  if (kernel.width == 0)
    fail(ExitCode::input, "--model network needs --kernel.width, that of hidden layers, at least 1");
  if (kernel.normalise || kernel.centre || kernel.storage != "double") {
    fail(ExitCode::input, "--kernel.{} is of kernels, but --model network is trained itself: leave it out",
         kernel.normalise ? "normalise"
         : kernel.centre  ? "centre"
                          : "storage");
  }
  if (c.training.method != "descent") {
    fail(ExitCode::input, "--training.method is {}, but a network is trained by descent: leave it out",
         c.training.method);
  }
  if (!c.training.start.empty()) {
    fail(ExitCode::input, "--training.start {} is of linear and kernel models, a network is drawn: leave it out",
         c.training.start);
  }
  if (loss_names(c).size() > 1) {
    fail(ExitCode::input, "--training.loss names {} losses, but a network is trained by one", loss_names(c).size());
  }
  if (c.network.lars && !c.training.rate) {
    fail(ExitCode::input, "--training.lars has no largest stable rate to choose one by: give --training.rate");
  }
  if (loss_names(c).front() != "plain" && !c.training.steps && !c.training.time) {
    fail(ExitCode::input, "--training.loss {} has no theory that says when training ends: give --training.steps",
         c.training.loss);
  }
  if (c.network.trust != SimulateConfig().network.trust && !c.network.lars) {
    fail(ExitCode::input, "--training.trust {} is of --training.lars, which is not on: leave it out", c.network.trust);
  }
  refuse_options_of_other_losses(c, loss_names(c));
  validate(pair_loss_of(c));
  validate(optimiser_of(c, c.training.rate.value_or(1)));
}

void refuse_options_of_other_losses(const SimulateConfig& c, const std::vector<std::string>& losses) {
  const decltype(c.network) untouched{};
  const auto refuse = [&](bool touched, const std::string& loss, const std::string& option, const auto& value) {
    if (!touched || std::find(losses.begin(), losses.end(), loss) != losses.end()) return;
    fail(ExitCode::input, "--training.{} {} is of the loss {}, which nothing is trained by: leave it out", option,
         value, loss);
  };
  const auto& n = c.network;
  refuse(n.off_diagonal != untouched.off_diagonal, "barlow-twins", "off-diagonal", n.off_diagonal);
  refuse(n.temperature != untouched.temperature, "simclr", "temperature", n.temperature);
  refuse(n.vicreg != untouched.vicreg, "vicreg", "vicreg", n.vicreg);
}

void refuse_network_options(const SimulateConfig& config) {
  SimulateConfig ours = config;
  SimulateConfig defaults;
  const std::vector<Option> options = network_options(ours);
  const std::vector<Option> untouched = network_options(defaults);
  for (std::size_t i = 0; i < options.size(); ++i) {
    const bool of_losses = options[i].name == "training.off-diagonal" || options[i].name == "training.temperature" ||
                           options[i].name == "training.vicreg";
    if (options[i].text() == untouched[i].text() || (of_losses && config.model == "widths")) continue;
    fail(ExitCode::input, "--{} {} is of --model network, not {}: leave it out", options[i].name, options[i].text(),
         config.model);
  }
}

PairLoss pair_loss_of(const SimulateConfig& c) {
  return pair_loss_of(c, loss_names(c).front());
}

PairLoss pair_loss_of(const SimulateConfig& c, const std::string& name) {
  if (name == "barlow-twins") return BarlowTwins{c.network.off_diagonal};
  if (name == "simclr") return SimClr{c.network.temperature};
  if (name == "vicreg") return vicreg_of(c.network.vicreg);
  if (name == "spectral") return SpectralContrastive{};
  return SimplifiedBarlowTwins{};
}

Optimiser optimiser_of(const SimulateConfig& c, double rate) {
  return {rate, c.network.momentum, c.network.weight_decay, c.network.lars, c.network.trust};
}

}  // namespace stepwise
