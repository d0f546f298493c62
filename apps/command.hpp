#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "run_config.hpp"
#include "stepwise/cli/help.hpp"
#include "stepwise/cli/options.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// One of the program's commands. Its functions share the settings, which live as long as any copy of it.
struct Command {
  std::string name;
  std::string summary;                           ///< one line
  std::string usage;                             ///< what --help says above the settings, with examples
  std::function<std::vector<Option>()> options;  ///< bound to the settings
  std::function<void()> check;                   ///< what one option alone cannot know. @throws Error(input)
  std::shared_ptr<const RunConfig> run_config;   ///< a part of the settings
  /// Collective. Takes the command line, for the record.
  std::function<void(const Communicator& comm, const std::string& command_line, Report& report)> run;
};

/// Every command, each with settings of its own at their defaults.
[[nodiscard]] std::vector<Command> all_commands();

/// What the sections of their settings are about.
[[nodiscard]] SectionTitles section_titles();

}  // namespace stepwise
