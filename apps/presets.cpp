#include "presets.hpp"

#include <array>

namespace stepwise {
namespace {

struct Named {
  const char* name;
  Preset settings;
};

const std::array<Named, 7>& presets() {
  static const std::array<Named, 7> all{{
      {"none", {}},
      // Section 4.4: Fig. 2.
      {"linear",
       {{"model", "linear"},
        {"modes", "10"},
        {"data.pairs", "500"},
        {"views.crop", "20"},
        {"kernel.type", "linear"},
        {"dynamics.alpha", "1e-7"},
        {"training.method", "descent"},
        {"training.rate", "5e-5"}}},
      // Fig. 6; gamma_j = 2^-j is the default.
      {"modes", {{"model", "modes"}, {"modes", "3"}, {"dynamics.alpha", "1e-9"}}},
      // Appendix D.1.
      {"network",
       {{"model", "network"},
        {"modes", "10"},
        {"data.pairs", "50"},
        {"views.crop", "20"},
        {"kernel.depth", "1"},
        {"kernel.width", "2048"},
        {"kernel.parameterization", "standard"},
        {"dynamics.alpha", "1e-4"},
        {"training.rate", "1e-4"},
        {"training.steps", "7000"}}},
      // Appendix G.
      {"losses",
       {{"model", "linear"},
        {"modes", "10"},
        {"data.pairs", "500"},
        {"views.crop", "20"},
        {"kernel.type", "linear"},
        {"dynamics.alpha", "1e-7"},
        {"training.loss", "plain,sharpened,smoothed,quartic,preconditioned"}}},
      // Fleissner et al. 2024.
      {"width",
       {{"model", "widths"},
        {"data.pairs", "32"},
        {"views.crop", "16"},
        {"training.method", "descent"},
        {"training.rate", "0.2"},
        {"training.steps", "20"}}},
      // Golikov 2020.
      {"scalings",
       {{"model", "widths"},
        {"data.pairs", "64"},
        {"views.crop", "16"},
        {"training.method", "descent"},
        {"training.rate", "1"},
        {"training.steps", "100"},
        {"study.widths", "64, 256, 1024, 4096"},
        {"study.activations", "tanh"},
        {"study.outputs", "1"},
        {"study.losses", "logistic"},
        {"study.scalings", "ntk, mean-field, default, sym-default, corrected-mean-field"},
        {"study.linearised", "false"}}},
  }};
  return all;
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Named& preset : presets()) names.emplace_back(preset.name);
  return names;
}

Preset preset_settings(const std::string& name) {
  for (const Named& preset : presets()) {
    if (name == preset.name) return preset.settings;
  }
  return {};
}

Preset model_settings(const std::string& name) {
  if (name == "widths") return {{"kernel.type", "linear"}, {"modes", "1"}};
  if (name == "linear") return {{"kernel.type", "linear"}};
  if (name == "network") return {{"kernel.type", "ntk"}, {"training.method", "descent"}};
  return {};
}

}  // namespace stepwise
