#include "kernel_config.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "kernel_formula.hpp"
#include "precomputed.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

const std::string prefix = "kernel.";

/// What there is one of, however many kernels a formula has.
constexpr std::array<std::string_view, 8> of_the_whole{
    "kernel.storage", "kernel.random-features",    "kernel.centre",       "kernel.path", "kernel.test-path",
    "kernel.pairing", "kernel.symmetry-tolerance", "kernel.negative-mass"};

/// The options kernel.* that one kernel has to itself.
std::vector<Option> kernel_settings(SolveConfig& config) {
  std::vector<Option> settings;
  for (Option& option : plain_options(config)) {
    const bool shared = std::find(of_the_whole.begin(), of_the_whole.end(), option.name) != of_the_whole.end();
    if (option.name.starts_with(prefix) && !shared) settings.push_back(std::move(option));
  }
  return settings;
}

void apply(SolveConfig& config, const KernelSetting& setting) {
  std::vector<std::string> names;
  for (Option& option : kernel_settings(config)) {
    const std::string name = option.name.substr(prefix.size());
    if (name == "type") continue;
    names.push_back(name);
    if (name != setting.name) continue;
    try {
      option.set(setting.value);
    } catch (const Error& error) {
      fail(ExitCode::input, "gives {} as '{}' at character {}, which {}", setting.name, setting.value, setting.position,
           error.what());
    }
    return;
  }
  const auto meant = nearest(setting.name, names);
  fail(ExitCode::input, "has '{}' at character {}, which is no setting of a kernel{}", setting.name, setting.position,
       meant ? fmt::format("; did you mean {}?", *meant) : "");
}

/// The settings of one factor of a formula: those of kernel.* but for what stands in its parentheses.
SolveConfig config_of(const SolveConfig& config, const NamedKernel& factor) {
  SolveConfig own = config;
  own.kernel.type = factor.name;
  own.kernel.normalise = false;
  for (const KernelSetting& setting : factor.settings) apply(own, setting);
  return own;
}

bool is_one_name(const std::vector<FormulaTerm>& terms) {
  return terms.size() == 1 && terms[0].weight == 1 && terms[0].factors.size() == 1 &&
         terms[0].factors[0].settings.empty();
}

/// Its samples are not those of other kernels.
bool stands_alone(const std::string& name) {
  return name == "precomputed" || name == "empirical-ntk";
}

Kernel normalised_if(bool wanted, Kernel kernel) {
  return wanted ? NormalisedKernel{boxed(std::move(kernel))} : std::move(kernel);
}

Kernel kernel_of(SolveConfig& config, const ImageShape& shape) {
  const std::vector<FormulaTerm> terms = parse_formula(config.kernel.type);
  if (is_one_name(terms)) {
    config.kernel.type = terms[0].factors[0].name;
    // A finite network is normalised behind its map (pose).
    const bool finite = config.kernel.type == "empirical-ntk";
    return normalised_if(config.kernel.normalise && !finite, make_kernel(config, shape));
  }
  KernelSum sum;
  for (const FormulaTerm& term : terms) {
    for (const NamedKernel& factor : term.factors) {
      if (!stands_alone(factor.name)) continue;
      fail(ExitCode::input, "--kernel.type is '{}', but {} stands alone: it is no factor of a formula",
           config.kernel.type, factor.name);
    }
    KernelTerm& summand = sum.terms.emplace_back(KernelTerm{term.weight, {}});
    for (const NamedKernel& factor : term.factors) {
      SolveConfig own = config_of(config, factor);
      summand.factors.push_back(boxed(normalised_if(own.kernel.normalise, make_kernel(own, shape))));
    }
  }
  validate(sum);
  return normalised_if(config.kernel.normalise, std::move(sum));
}

}  // namespace

Option kernel_type_option(std::string& type) {
  return {"kernel.type",
          "KERNEL",
          "linear, polynomial, rbf, laplace, nngp, ntk, empirical-ntk, precomputed, or a formula such as "
          "0.7*ntk(depth=5) + "
          "0.3*rbf*linear",
          [&type](const std::string& text) {
            const SolveConfig scratch;
            for (const FormulaTerm& term : parse_formula(text)) {
              for (const NamedKernel& factor : term.factors) (void)config_of(scratch, factor);
            }
            type = text;
          },
          [&type] { return type; },
          {kernel_names.begin(), kernel_names.end()}};
}

std::vector<Option> second_kernel_options(SolveConfig& config) {
  std::vector<Option> twins;
  SolveConfig scratch;
  for (const Option& option : kernel_settings(scratch)) {
    const std::string name = option.name.substr(prefix.size());
    const auto set = [&config, name](const std::string& text) {
      if (text == "same") {
        config.kernel_b.erase(name);
        return;
      }
      SolveConfig trial;
      for (const Option& setting : kernel_settings(trial)) {
        if (setting.name == prefix + name) setting.set(text);
      }
      config.kernel_b[name] = text;
    };
    const auto text = [&config, name] {
      const auto found = config.kernel_b.find(name);
      return found == config.kernel_b.end() ? "same" : found->second;
    };
    std::vector<std::string> words = option.words;
    words.emplace_back("same");
    twins.push_back({"kernel-b." + name, option.metavar, fmt::format("--kernel.{} of view_b", name), set, text, words});
  }
  return twins;
}

bool is_plain_kernel(const SolveConfig& config) {
  return is_one_name(parse_formula(config.kernel.type)) && !config.kernel.normalise && !config.data.multimodal;
}

bool uses_network(const SolveConfig& config) {
  const auto names_one = [](const std::string& type) {
    for (const FormulaTerm& term : parse_formula(type)) {
      for (const NamedKernel& factor : term.factors) {
        if (is_network_name(factor.name)) return true;
      }
    }
    return false;
  };
  const auto second = config.kernel_b.find("type");
  return names_one(config.kernel.type) || (second != config.kernel_b.end() && names_one(second->second));
}

Kernel pose_kernel(SolveConfig& config, const PairSource& pairs) {
  if (const auto* rows = std::get_if<IndexPairs>(&pairs)) {
    return normalised_if(config.kernel.normalise, stored_kernel(*rows));
  }
  const auto* both = std::get_if<MultimodalPairs>(&pairs);
  if (both == nullptr) return kernel_of(config, sample_shape(pairs));
  SolveConfig second = config;
  for (const Option& option : kernel_settings(second)) {
    const auto given = config.kernel_b.find(option.name.substr(prefix.size()));
    if (given != config.kernel_b.end()) option.set(given->second);
  }
  Kernel a = kernel_of(config, both->shapes[0]);
  Kernel b = kernel_of(second, both->shapes[1]);
  for (const std::string& type : {config.kernel.type, second.kernel.type}) {
    if (!stands_alone(type)) continue;
    fail(ExitCode::input, "--kernel.type {} is not for --data.multimodal: choose another", type);
  }
  // What "same" and "auto" stood for, so that the configuration repeats the run.
  config.kernel_b.clear();
  const std::vector<Option> ours = kernel_settings(config);
  const std::vector<Option> others = kernel_settings(second);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (ours[i].text() != others[i].text()) {
      config.kernel_b[ours[i].name.substr(prefix.size())] = others[i].text();
    }
  }
  return MultimodalKernel{boxed(std::move(a)), boxed(std::move(b)), both->shapes[0].size(), both->shapes[1].size()};
}

}  // namespace stepwise
