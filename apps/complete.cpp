#include "complete.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "kept_settings.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/io/input_file.hpp"

namespace stepwise {
namespace {

// Where a result goes, and how the matrix is laid out, change nothing in it.
constexpr std::array<std::string_view, 5> immaterial{"output", "force", "solver.grid", "solver.block-size",
                                                     "solver.check"};

bool matters(const std::string& name) {
  return std::find(immaterial.begin(), immaterial.end(), name) == immaterial.end() && !name.starts_with("output.");
}

/// The settings that made the result file; nothing if it is none. Collective.
std::string configuration_of(const Communicator& comm, const std::string& path) {
  try {
    for (const auto& [name, value] : InputFile(comm, path).attributes("/")) {
      const auto* text = std::get_if<std::string>(&value);
      if (name == "configuration" && text != nullptr) return *text;
    }
  } catch (const CollectiveError&) {
    // Another kind of file, or a damaged one: check_output() says that it is in the way.
  }
  return "";
}

}  // namespace

std::string problem_settings(SolveConfig config, const std::string& method, const std::string& convention) {
  config.solver.method = method;
  const auto options = solve_options(config);
  // The predicted trajectory is computed anew each time.
  return settings_text(options,
                       [](const std::string& name) { return matters(name) && !name.starts_with("dynamics."); }) +
         fmt::format("convention = {}\n", convention);
}

bool is_complete(const Communicator& comm, SolveConfig config) {
  const std::string made_with = configuration_of(comm, config.output);
  if (made_with.empty()) return false;
  const auto before = settings_by_name(made_with);
  for (const auto& [name, value] : settings_by_name(settings_text(solve_options(config), matters))) {
    if (name == "solver.method" && value == "auto") continue;  // the file has the one that was chosen
    const auto found = before.find(name);
    if (found == before.end() || found->second != value) return false;
  }
  return true;
}

}  // namespace stepwise
