#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stepwise {

/// One setting, the same on the command line (--section.key value) and in a configuration file ([section] key = value).
struct Option {
  std::string name;     ///< "section.key", or "key" at the top level
  std::string metavar;  ///< what the value is called in --help; empty: a flag that may stand without a value
  std::string help;     ///< one line
  std::function<void(const std::string&)> set;  ///< parses and range-checks. @throws Error(input) saying what is wanted
  std::function<std::string()> text;            ///< the present value, as `set` would read it
  std::vector<std::string> words = {};          ///< values that have a name, for the shell to complete
  bool positional = false;                      ///< the value may also stand alone, in the order of such options
};

// Constructors of options bound to a variable. Numbers must be finite and inside [lowest, highest].
[[nodiscard]] Option text_option(std::string name, std::string metavar, std::string help, std::string& target);
/// A file whose name alone will do: "info out.h5" is "info --file out.h5".
[[nodiscard]] Option positional_option(std::string name, std::string help, std::string& target);
[[nodiscard]] Option flag_option(std::string name, std::string help, bool& target);
[[nodiscard]] Option integer_option(std::string name, std::string metavar, std::string help, std::int64_t& target,
                                    std::int64_t lowest, std::int64_t highest);
[[nodiscard]] Option real_option(std::string name, std::string metavar, std::string help, double& target, double lowest,
                                 double highest);
/// As above, or `word`.
[[nodiscard]] Option auto_option(std::string name, std::string metavar, std::string help,
                                 std::optional<std::int64_t>& target, std::int64_t lowest, std::int64_t highest,
                                 const std::string& word = "auto");
[[nodiscard]] Option auto_option(std::string name, std::string metavar, std::string help, std::optional<double>& target,
                                 double lowest, double highest, const std::string& word = "auto");
[[nodiscard]] Option auto_flag_option(std::string name, std::string help, std::optional<bool>& target);
/// One of `choices`.
[[nodiscard]] Option choice_option(std::string name, std::string help, std::string& target,
                                   std::vector<std::string> choices);

/// What a command line asks for besides the settings it stores.
enum class Request { run, help, print_config };

/// Stores the settings of a command line and of the file its --config names; the command line wins.
/// Words without a name are values of the positional options, in their order.
/// @throws Error(input) for an unknown option or section (with the nearest known name), a stray word, a setting given
/// twice, a value its option refuses or that no line of a file could hold, a file that cannot be read; names the option
/// and value, and for files the line.
/// In a file, # or ; starts a comment at the beginning of a line or after white space. A value may stand between double
/// quotes, with \" and \\ for " and \.
[[nodiscard]] Request parse_options(const std::vector<std::string>& arguments, std::vector<Option>& options);

/// Stores the settings of a configuration text, as --config does those of a file; `source` says where it comes from.
/// @throws Error(input) naming source and line.
void read_settings(const std::string& text, const std::string& source, std::vector<Option>& options);

/// "kernel" of "kernel.type", "" of a name at the top level.
[[nodiscard]] std::string section_of(const std::string& name);

/// All settings as a configuration file that gives the same run.
[[nodiscard]] std::string config_text(const std::vector<Option>& options);

/// The candidate nearest to `word` by edit distance, if it is near enough to be meant.
[[nodiscard]] std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace stepwise
