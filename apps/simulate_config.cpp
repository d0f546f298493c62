#include "simulate_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <memory>
#include <set>
#include <string_view>

#include "kernel_config.hpp"
#include "network_config.hpp"
#include "presets.hpp"
#include "solve_plan.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

constexpr double longest = 1e100;
constexpr std::int64_t most_steps = std::int64_t{1} << 53;

/// What of solve makes no sense here: its own predictions, and what it saves.
bool of_solve_alone(const std::string& name) {
  constexpr std::array<std::string_view, 5> names{"modes", "output.kernel", "output.eigenvectors", "dynamics.points",
                                                  "dynamics.t-max"};
  return std::find(names.begin(), names.end(), name) != names.end() || name == "solver.check";
}

std::vector<Option> problem_options(SolveConfig& c) {
  std::vector<Option> options = solve_options(c);
  std::erase_if(options, [](const Option& option) { return of_solve_alone(option.name); });
  return options;
}

std::vector<Option> training_options(SimulateConfig& c) {
  return {
      choice_option("training.method", "gradient descent, or gradient flow by an adaptive integrator",
                    c.training.method, {"descent", "flow"}),
      auto_option("training.rate", "ETA", "descent: the learning rate; auto: a twentieth of the largest stable one",
                  c.training.rate, 1e-300, longest),
      auto_option("training.steps", "N", "descent: how many; auto: until well past the last mode", c.training.steps, 1,
                  most_steps),
      auto_option("training.time", "T", "how long, learning rate x steps; auto: until well past the last mode",
                  c.training.time, 1e-300, longest),
      real_option("training.tolerance", "E", "flow: error of a step of the integrator", c.training.tolerance, 1e-14,
                  1e-2),
      text_option("training.loss", "LOSS,...",
                  "plain, sharpened, smoothed, quartic or preconditioned (docs/simulation.md); several: the same model "
                  "trained by each; of networks plain, barlow-twins, simclr, vicreg or spectral",
                  c.training.loss),
      real_option("training.epsilon", "E", "smoothed: min(l, 1 + E (1 - l)) in place of an eigenvalue l of C",
                  c.training.epsilon, 0, 1),
      real_option("training.damping", "A", "preconditioned: the gradient is divided by F F^T / N + A",
                  c.training.damping, 1e-300, longest),
      text_option("training.start", "FILE:/DATASET",
                  "W(0), d x m (linear), or outputs f_0 of all samples, N x d (kernel); empty: drawn with "
                  "--dynamics.alpha",
                  c.training.start),
      integer_option("record.points", "N", "times at which loss and eigenvalues are recorded", c.record.points, 2,
                     100'000'000),
      choice_option("record.spacing", "of these times: evenly spaced in log t, or in t", c.record.spacing,
                    {"log", "linear"}),
      integer_option("record.embeddings", "N", "times at which f(x, t) of all samples is recorded", c.record.embeddings,
                     0, 1'000'000),
      text_option("system.gammas", "G,...", "--model modes: the eigenvalues of the system, descending", c.gammas),
  };
}

std::vector<Option> study_options(WidthSettings& c) {
  return {
      text_option("study.widths", "M,...", "widths of the hidden layer, ascending", c.widths),
      integer_option("study.seeds", "N", "draws of the weights at each width, from --seed on", c.seeds, 1, 100'000),
      text_option("study.activations", "NAME,...", "activations, as --kernel.activation has them", c.activations),
      text_option("study.outputs", "D,...", "numbers of outputs", c.outputs),
      text_option(
          "study.losses", "LOSS,...",
          "those of networks (--training.loss), and logistic, which tells the lower half of the labels from the "
          "upper",
          c.losses),
      text_option("study.scalings", "NAME,...",
                  "how scale and rates go with the width: ntk, mean-field, default, sym-default, corrected-mean-field",
                  c.scalings),
      integer_option("study.reference", "M", "width at which all scalings are the same, and KL divergences are 0",
                     c.reference, 1, 1'000'000),
      real_option("study.alpha", "A", "factor of the initial weights of the readout", c.alpha, 0, 1e6),
      flag_option("study.linearised", "train the first-order expansion of each network too", c.linearised),
  };
}

/// Settings that another one brings along, unless they are given.
using Implied = std::function<Preset()>;

/// Makes `options` know which of them have been given, and --preset and --model set the rest.
void imply_defaults(std::vector<Option>& options, SimulateConfig& c) {
  const auto given = std::make_shared<std::set<std::string>>();
  const auto raw = std::make_shared<std::vector<Option>>(options);
  const auto imply = [given, raw, &c] {
    const auto store = [&](const Preset& settings) {
      for (const auto& [name, value] : settings) {
        if (given->contains(name)) continue;
        for (const Option& option : *raw) {
          if (option.name == name) option.set(value);
        }
      }
    };
    store(preset_settings(c.preset));
    store(model_settings(c.model));
    if (c.preset != "none" && !c.problem.data.path.empty()) store({{"data.source", "cifar10"}});
  };
  for (Option& option : options) {
    option.set = [name = option.name, set = option.set, given, imply](const std::string& value) {
      set(value);
      given->insert(name);
      if (name == "preset" || name == "model" || name == "data.path") imply();
    };
  }
}

/// @throws Error(input) for the first option of these sections that is not at its default.
void refuse_sections(const SimulateConfig& config, const std::vector<std::string>& sections, const std::string& why) {
  SimulateConfig ours = config;
  SimulateConfig defaults;
  const std::vector<Option> options = simulate_options(ours);
  const std::vector<Option> untouched = simulate_options(defaults);
  for (std::size_t i = 0; i < options.size(); ++i) {
    const bool concerned = std::find(sections.begin(), sections.end(), section_of(options[i].name)) != sections.end();
    if (!concerned || options[i].text() == untouched[i].text()) continue;
    fail(ExitCode::input, "--{} {} {}: leave it out", options[i].name, options[i].text(), why);
  }
}

void check_training(const SimulateConfig& c) {
  const auto& t = c.training;
  if (t.method == "flow" && (t.rate || t.steps)) {
    fail(ExitCode::input,
         "--training.{} is of gradient descent, but --training.method is flow, which has no steps of its own: choose "
         "descent, or give --training.time",
         t.rate ? "rate" : "steps");
  }
  if (t.method == "descent" && t.steps && t.time) {
    fail(ExitCode::input, "--training.steps {} and --training.time {} both say when training ends: leave one out",
         *t.steps, *t.time);
  }
  const std::vector<std::string> losses = loss_names(c);
  if (c.model == "supervised" && losses != std::vector<std::string>{"plain"}) {
    fail(ExitCode::input, "--training.loss {} is of self-supervised models: --model supervised has the squared loss",
         t.loss);
  }
}

void check_widths(const SimulateConfig& c) {
  const auto& t = c.training;
  if (t.method != "descent" || !t.rate || !t.steps) {
    fail(ExitCode::input,
         "--model widths is trained by --training.method descent with a --training.rate and --training.steps: give "
         "them, or --preset width or scalings");
  }
  if (t.loss != "plain") {
    fail(ExitCode::input, "--training.loss {}: the losses of --model widths are --study.losses", t.loss);
  }
  if (c.problem.kernel.type != "linear" || c.problem.kernel.centre) {
    fail(ExitCode::input,
         "--model widths trains networks of its own, described by --study.*: leave out --kernel.type and .centre");
  }
  refuse_sections(c, {"kernel-b", "record", "system"}, "is of other models than widths");
  std::vector<std::string> losses;
  for (const WidthVariant& variant : plan_widths(c.study).variants) {
    losses.push_back(variant.loss);
    if (variant.loss != "logistic") validate(pair_loss_of(c, variant.loss));
  }
  refuse_options_of_other_losses(c, losses);
}

/// Options of one section behind each other, sections by their first option.
void by_section(std::vector<Option>& options) {
  std::vector<std::string> sections;
  for (const Option& option : options) sections.push_back(section_of(option.name));
  const auto place = [&](const Option& option) {
    return std::find(sections.begin(), sections.end(), section_of(option.name)) - sections.begin();
  };
  std::stable_sort(options.begin(), options.end(),
                   [&](const Option& a, const Option& b) { return place(a) < place(b); });
}

}  // namespace

std::vector<Option> simulate_options(SimulateConfig& c) {
  std::vector<Option> options =
      joined({{choice_option("preset", "settings of a figure of the paper (docs/simulation.md), which others override",
                             c.preset, preset_names()),
               choice_option("model", "what is trained", c.model,
                             {"linear", "kernel", "modes", "supervised", "network", "widths"}),
               integer_option("modes", "D", "outputs of the model, and so modes that it learns", *c.problem.modes, 1,
                              std::numeric_limits<std::int64_t>::max())},
              problem_options(c.problem),
              training_options(c),
              network_options(c),
              study_options(c.study)});
  by_section(options);
  imply_defaults(options, c);
  return options;
}

std::vector<std::string> loss_names(const SimulateConfig& c) {
  const std::vector<std::string> known =
      c.model == "network" ? network_losses()
                           : std::vector<std::string>{"plain", "sharpened", "smoothed", "quartic", "preconditioned"};
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin <= c.training.loss.size();) {
    const std::size_t end = std::min(c.training.loss.find(',', begin), c.training.loss.size());
    std::string name = c.training.loss.substr(begin, end - begin);
    std::erase(name, ' ');
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      fail(ExitCode::input, "--training.loss names '{}', must be among {}", name, fmt::join(known, ", "));
    }
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      fail(ExitCode::input, "--training.loss names {} twice", name);
    }
    names.push_back(name);
    begin = end + 1;
  }
  return names;
}

std::vector<double> system_gammas(const SimulateConfig& c) {
  std::vector<double> gammas;
  const char* at = c.gammas.data();
  const char* const end = at + c.gammas.size();
  while (at != end) {
    while (at != end && (*at == ' ' || *at == ',')) ++at;
    if (at == end) break;
    double gamma = 0;
    const auto [next, error] = std::from_chars(at, end, gamma);
    const bool sound =
        error == std::errc() && gamma > 0 && gamma <= longest && (gammas.empty() || gamma < gammas.back());
    if (!sound) {
      fail(ExitCode::input, "--system.gammas '{}': number {} must be positive and below the one before", c.gammas,
           gammas.size() + 1);
    }
    gammas.push_back(gamma);
    at = next;
  }
  if (gammas.empty()) fail(ExitCode::input, "--system.gammas names no numbers");
  return gammas;
}

void check_consistency(const SimulateConfig& c) {
  check_consistency(c.model == "network" ? infinite_counterpart(c.problem) : c.problem);
  check_training(c);
  if (c.model != "widths") refuse_sections(c, {"study"}, fmt::format("is of --model widths, not {}", c.model));
  if (c.model == "network") return check_network(c);
  refuse_network_options(c);
  if (c.model == "modes") {
    refuse_sections(c, {"data", "views", "kernel", "kernel-b", "solver"},
                    "is about data, which --model modes has none of");
    if (const auto count = static_cast<std::int64_t>(system_gammas(c).size()); *c.problem.modes > count) {
      fail(ExitCode::input, "--modes is {}, but --system.gammas names {}", *c.problem.modes, count);
    }
    if (!c.training.start.empty()) {
      fail(ExitCode::input, "--training.start {} is of models with data, --model modes is drawn: leave it out",
           c.training.start);
    }
    return;
  }
  if (c.model == "widths") return check_widths(c);
  refuse_sections(c, {"system"}, fmt::format("is of --model modes, not {}", c.model));
  if (c.model == "linear" && !has_features(c.problem)) {
    fail(ExitCode::input,
         "--model linear needs explicit features, which --kernel.type {} has not: choose linear, or "
         "--kernel.random-features for rbf and nngp; or --model kernel",
         c.problem.kernel.type);
  }
  if (c.problem.kernel.centre && c.model != "kernel") {
    fail(ExitCode::input,
         "--kernel.centre is for --model kernel, not {}: with --kernel.type linear it is the same model", c.model);
  }
  if (c.model == "supervised" && c.problem.kernel.storage != "double") {
    fail(ExitCode::input,
         "--kernel.storage {} keeps no matrix, of which --model supervised needs all eigenvalues: leave it out",
         c.problem.kernel.storage);
  }
}

}  // namespace stepwise
