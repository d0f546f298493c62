#include "complete.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
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

/// The texts that a result file is described by; nothing if it is none. Collective.
std::map<std::string, std::string> texts_of(const Communicator& comm, const std::string& path) {
  try {
    std::map<std::string, std::string> texts;
    for (const auto& [name, value] : InputFile(comm, path).attributes("/")) {
      if (const auto* text = std::get_if<std::string>(&value)) texts.emplace(name, *text);
    }
    return texts;
  } catch (const CollectiveError&) {
    // Another kind of file, or a damaged one: check_output() says that it is in the way.
  }
  return {};
}

/// Whether the file at `path` is of this schema and came from these inputs and settings. Collective.
bool was_made_by(const Communicator& comm, const std::string& path, const std::string& schema,
                 const std::string& inputs, const std::vector<Option>& options) {
  auto texts = texts_of(comm, path);
  if (texts["schema_name"] != schema || texts["inputs_checksum"] != inputs) return false;
  const auto before = settings_by_name(texts["configuration"]);
  for (const auto& [name, value] : settings_by_name(settings_text(options, matters))) {
    if (name == "solver.method" && value == "auto") continue;  // the file has the one that was chosen
    const auto found = before.find(name);
    if (found == before.end() || found->second != value) return false;
  }
  return true;
}

}  // namespace

std::string problem_settings(SolveConfig config, const std::string& method, const std::string& convention,
                             const std::string& inputs) {
  config.solver.method = method;
  const auto options = solve_options(config);
  // The predicted trajectory is computed anew each time.
  const auto depends = [&](const std::string& name) {
    if (name == "data.path") return inputs.empty();  // samples are known by their checksum
    return matters(name) && !name.starts_with("dynamics.");
  };
  return fmt::format("kernel_convention = {}\ninputs_checksum = {}\n", convention, inputs) +
         settings_text(options, depends);
}

std::string training_settings(SimulateConfig config, const std::string& convention, const std::string& inputs) {
  return fmt::format("kernel_convention = {}\ninputs_checksum = {}\n", convention, inputs) +
         settings_text(simulate_options(config), matters);
}

bool is_complete(const Communicator& comm, SolveConfig config, const std::string& inputs) {
  return !config.force && was_made_by(comm, config.output, "stepwise-result", inputs, solve_options(config));
}

bool is_complete(const Communicator& comm, SimulateConfig config, const std::string& inputs) {
  return !config.problem.force &&
         was_made_by(comm, config.problem.output, "stepwise-simulation", inputs, simulate_options(config));
}

bool is_complete_kernel(const Communicator& comm, const KernelConfig& config, const std::string& entries) {
  auto texts = texts_of(comm, config.problem.output);
  return !config.problem.force && texts["schema_name"] == "stepwise-kernel" && texts[entries_attribute] == entries;
}

}  // namespace stepwise
