#include "stepwise/cli/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <numeric>

#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

namespace po = boost::program_options;

std::vector<std::string> names_of(const std::vector<Option>& options) {
  std::vector<std::string> names;
  for (const Option& option : options) names.push_back(option.name);
  return names;
}

std::string section_of(const std::string& name) {
  const auto dot = name.find('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

[[noreturn]] void unknown(const std::string& where, const std::string& name, const std::vector<Option>& options) {
  auto names = names_of(options);
  if (where.empty()) names.insert(names.end(), {"config", "help", "print-config"});
  const auto meant = nearest(name, names);
  fail(ExitCode::input, "{}unknown option --{}{}", where, name,
       meant ? fmt::format("; did you mean --{}?", *meant) : "; --help lists them all");
}

void store(Option& option, const std::string& where, const std::string& value) {
  try {
    option.set(value);
  } catch (const Error& error) {
    fail(error.code(), "{}--{} is '{}', {}", where, option.name, value, error.what());
  }
}

Option& find(const std::string& where, const std::string& name, std::vector<Option>& options) {
  const auto found = std::find_if(options.begin(), options.end(), [&](const Option& o) { return o.name == name; });
  if (found == options.end()) unknown(where, name, options);
  return *found;
}

/// People write "--flag", "--flag value" and "--flag=value"; this leaves the last.
std::vector<std::string> join_flag_values(const std::vector<std::string>& arguments,
                                          const std::vector<Option>& options) {
  std::vector<std::string> joined;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const bool flag = std::any_of(options.begin(), options.end(),
                                  [&](const Option& o) { return o.metavar.empty() && "--" + o.name == arguments[i]; });
    const bool value_follows = i + 1 < arguments.size() && !arguments[i + 1].starts_with("-");
    if (flag) {
      joined.push_back(arguments[i] + "=" + (value_follows ? arguments[i + 1] : "true"));
      if (value_follows) ++i;
    } else {
      joined.push_back(arguments[i]);
    }
  }
  return joined;
}

po::options_description describe(const std::vector<Option>& options) {
  po::options_description description;
  for (const Option& option : options) description.add_options()(option.name.c_str(), po::value<std::string>());
  description.add_options()("config", po::value<std::string>())("help,h", "")("print-config", "");
  return description;
}

po::variables_map parse_command_line(const std::vector<std::string>& arguments, const std::vector<Option>& options) {
  const auto style = po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
  const auto description = describe(options);
  const po::positional_options_description no_words;
  po::variables_map settings;
  try {
    po::store(po::command_line_parser(join_flag_values(arguments, options))
                  .options(description)
                  .positional(no_words)
                  .style(style)
                  .run(),
              settings);
  } catch (const po::unknown_option& error) {
    std::string name = error.get_option_name();
    name.erase(0, name.find_first_not_of('-'));
    name.resize(std::min(name.size(), name.find('=')));
    unknown("", name, options);
  } catch (const po::too_many_positional_options_error&) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const bool is_value =
          i > 0 && arguments[i - 1].starts_with("--") && arguments[i - 1].find('=') == std::string::npos;
      if (!arguments[i].starts_with("-") && !is_value) {
        fail(ExitCode::input, "stray word '{}' on the command line; settings are written --name value", arguments[i]);
      }
    }
    fail(ExitCode::input, "stray word on the command line; settings are written --name value");
  } catch (const po::multiple_occurrences& error) {
    fail(ExitCode::input, "{} is given twice", error.get_option_name());
  } catch (const po::error& error) {
    fail(ExitCode::input, "command line: {}", error.what());
  }
  return settings;
}

std::string trimmed(const std::string& text) {
  constexpr const char* white = " \t\r";
  const auto first = text.find_first_not_of(white);
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(white) - first + 1);
}

/// A comment starts with a # that begins a line or follows white space; another # belongs to its word.
std::string without_comment(const std::string& line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '#' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t')) return trimmed(line.substr(0, i));
  }
  return trimmed(line);
}

/// Reads a file line by line, so that every complaint can name the line.
void read_config(const std::string& path, std::vector<Option>& options, const po::variables_map& command_line) {
  std::ifstream in(path);
  if (!in) fail(ExitCode::input, "--config {}: cannot be opened: {}", path, std::strerror(errno));
  std::map<std::string, int> seen;
  std::string section;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    const std::string where = fmt::format("{}:{}: ", path, number);
    line = without_comment(line);
    if (line.empty()) continue;
    if (line.front() == '[') {
      if (line.back() != ']') fail(ExitCode::input, "{}'{}' is not of the form [section]", where, line);
      section = line.substr(1, line.size() - 2);
      std::vector<std::string> sections;
      for (const Option& option : options) sections.push_back(section_of(option.name));
      if (std::find(sections.begin(), sections.end(), section) == sections.end()) {
        const auto meant = nearest(section, sections);
        fail(ExitCode::input, "{}unknown section [{}]{}", where, section,
             meant ? fmt::format("; did you mean [{}]?", *meant) : "");
      }
      continue;
    }
    const auto equals = line.find('=');
    const std::string key = trimmed(line.substr(0, equals));
    if (equals == std::string::npos || key.empty()) {
      fail(ExitCode::input, "{}'{}' is not of the form key = value", where, line);
    }
    const std::string name = section.empty() ? key : section + "." + key;
    Option& option = find(where, name, options);
    const auto [earlier, is_new] = seen.emplace(name, number);
    if (!is_new) fail(ExitCode::input, "{}--{} is given twice, first in line {}", where, name, earlier->second);
    if (command_line.count(name) == 0) store(option, where, trimmed(line.substr(equals + 1)));
  }
  if (in.bad()) fail(ExitCode::input, "--config {}: cannot be read (is it a file?)", path);
}

}  // namespace

Request parse_options(const std::vector<std::string>& arguments, std::vector<Option>& options) {
  const po::variables_map command_line = parse_command_line(arguments, options);
  if (command_line.count("help") != 0) return Request::help;
  if (command_line.count("config") != 0) {
    read_config(command_line["config"].as<std::string>(), options, command_line);
  }
  for (Option& option : options) {
    if (command_line.count(option.name) != 0) store(option, "", command_line[option.name].as<std::string>());
  }
  return command_line.count("print-config") != 0 ? Request::print_config : Request::run;
}

std::string help_text(const std::string& usage, const std::vector<Option>& options) {
  std::string text = usage;
  std::string section = "none yet";
  for (const Option& option : options) {
    if (section_of(option.name) != section) {
      section = section_of(option.name);
      text += section.empty() ? "\nGeneral:\n" : fmt::format("\n[{}]\n", section);
    }
    const std::string left =
        fmt::format("  --{} {}", option.name, option.metavar.empty() ? "[true|false]" : option.metavar);
    const std::string value = option.text();
    const std::string right = value.empty() ? option.help : fmt::format("{} (default {})", option.help, value);
    text += left.size() <= 34 ? fmt::format("{:<36}{}\n", left, right) : fmt::format("{}\n{:36}{}\n", left, "", right);
  }
  text += fmt::format("\n  {:<34}{}\n  {:<34}{}\n  {:<34}{}\n", "--config FILE",
                      "read settings from an INI file; the command line wins", "--print-config",
                      "write all settings as such a file and stop", "-h, --help", "this text");
  return text;
}

std::string config_text(const std::vector<Option>& options) {
  std::string text;
  std::string section;
  for (const Option& option : options) {
    if (section_of(option.name) != section) {
      section = section_of(option.name);
      text += fmt::format("\n[{}]\n", section);
    }
    const std::string key = section.empty() ? option.name : option.name.substr(section.size() + 1);
    const std::string value = option.text();
    text += value.empty() ? fmt::format("# {} =\n", key) : fmt::format("{} = {}\n", key, value);
  }
  return text;
}

std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  std::size_t best_distance = word.size() / 3 + 1;  // further away is another word
  for (const std::string& candidate : candidates) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t diagonal = row[0]++;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t change = diagonal + (word[i] == candidate[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
      }
    }
    if (row.back() <= best_distance && (!best || row.back() < best_distance)) {
      best = candidate;
      best_distance = row.back();
    }
  }
  return best;
}

}  // namespace stepwise
