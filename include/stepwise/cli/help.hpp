#pragma once

#include <map>
#include <string>
#include <vector>

#include "stepwise/cli/options.hpp"

namespace stepwise {

/// What the settings of each section are about, in words; "" for those without a section.
using SectionTitles = std::map<std::string, std::string>;

/// What the program says about one of its commands.
struct CommandText {
  std::string name;
  std::string summary;  ///< one line
  std::string usage;    ///< what it does, and indented examples
  std::vector<Option> options;
};

/// All that help, man page and completion are made of.
struct ProgramText {
  std::string about;  ///< one line
  std::vector<CommandText> commands;
  SectionTitles sections;
};

/// --config, --print-config and --help, which every command has; only name, metavar and help are set.
[[nodiscard]] std::vector<Option> standing_options();

/// The --help text, at most 100 columns wide: usage, then options by section with their present values as defaults.
[[nodiscard]] std::string help_text(const std::string& usage, const std::vector<Option>& options,
                                    const SectionTitles& titles = {});

/// "help (default value)", or the help alone where there is no value.
[[nodiscard]] std::string help_with_default(const Option& option);

/// What stands behind the name of an option: its metavar, [true|false] of a flag, nothing of a standing option.
[[nodiscard]] std::string value_name(const Option& option);

}  // namespace stepwise
