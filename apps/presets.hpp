#pragma once

#include <string>
#include <utility>
#include <vector>

namespace stepwise {

/// Options and their values.
using Preset = std::vector<std::pair<std::string, std::string>>;

/// none, linear, modes, losses, width, scalings.
[[nodiscard]] std::vector<std::string> preset_names();

/// What --preset `name` stands for.
[[nodiscard]] Preset preset_settings(const std::string& name);

/// What --model `name` brings along.
[[nodiscard]] Preset model_settings(const std::string& name);

}  // namespace stepwise
