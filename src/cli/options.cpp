#include "stepwise/cli/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <numeric>
#include <sstream>
#include <string_view>

#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

namespace po = boost::program_options;

std::vector<std::string> names_of(const std::vector<Option>& options) {
  std::vector<std::string> names;
  for (const Option& option : options) names.push_back(option.name);
  return names;
}

std::string key_of(const std::string& name) {
  return name.substr(name.find('.') + 1);  // npos + 1 is 0
}

/// The option that `name` may stand for: one with its key in another section, else the nearest name, else the nearest
/// key.
std::optional<std::string> meant_by(const std::string& name, const std::vector<std::string>& names) {
  const auto same_key = std::ranges::find(names, key_of(name), key_of);
  if (same_key != names.end()) return *same_key;
  if (const auto close = nearest(name, names)) return close;
  std::vector<std::string> keys;
  for (const std::string& known : names) keys.push_back(key_of(known));
  const auto close = nearest(key_of(name), keys);
  return close ? std::optional(*std::ranges::find(names, *close, key_of)) : std::nullopt;
}

/// `word`: the name as it was given, with its dashes on the command line.
[[noreturn]] void unknown(const std::string& where, const std::string& word, const std::vector<Option>& options) {
  const std::string name = word.substr(std::min(word.size(), word.find_first_not_of('-')));
  auto names = names_of(options);
  if (where.empty()) names.insert(names.end(), {"config", "help", "print-config"});
  const auto meant = meant_by(name, names);
  fail(ExitCode::input, "{}unknown option {}{}", where, word,
       meant ? fmt::format("; did you mean --{}?", *meant) : "; --help lists them all");
}

void store(Option& option, const std::string& where, const std::string& value) {
  for (const char c : value) {
    if (std::iscntrl(static_cast<unsigned char>(c)) != 0 && c != '\t') {
      fail(ExitCode::input, "{}--{} has a control character (code {}) in its value", where, option.name, int{c});
    }
  }
  try {
    option.set(value);
  } catch (const Error& error) {
    fail(error.code(), "{}--{} is '{}', {}", where, option.name, value, error.what());
  }
}

Option& find(const std::string& where, const std::string& name, std::vector<Option>& options) {
  const auto found = std::find_if(options.begin(), options.end(), [&](const Option& o) { return o.name == name; });
  if (found == options.end()) unknown(where, "--" + name, options);
  return *found;
}

[[noreturn]] void refuse_word(const std::string& word, const std::vector<Option>& options) {
  std::string names;
  for (const Option& option : options) {
    if (option.positional) names += (names.empty() ? "" : " and ") + ("--" + option.name);
  }
  fail(ExitCode::input, "stray word '{}' on the command line; settings are written --name value{}", word,
       names.empty() ? "" : fmt::format(", only {} may go without a name, once each", names));
}

bool is_one_of(const std::string& word, const std::vector<std::string>& words) {
  return std::ranges::find(words, word) != words.end();
}

/// People write "--flag", "--flag value" and "--flag=value"; this leaves the last. Other options must have a value.
/// Positional ones get their names.
std::vector<std::string> with_names(const std::vector<std::string>& arguments, const std::vector<Option>& options) {
  std::vector<std::string> positional;  // names of those that a word may still stand for
  for (const Option& option : options) {
    const auto given = [&](const std::string& word) {
      return word == "--" + option.name || word.starts_with("--" + option.name + "=");
    };
    if (option.positional && std::ranges::none_of(arguments, given)) positional.push_back("--" + option.name);
  }
  const bool takes_words = std::ranges::any_of(options, &Option::positional);
  std::vector<std::string> joined;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const auto option = std::ranges::find_if(options, [&](const Option& o) { return "--" + o.name == word; });
    const bool has_next = i + 1 < arguments.size();
    if (option == options.end() ? word == "--config" : !option->metavar.empty()) {
      if (!has_next || arguments[i + 1].starts_with("--") || arguments[i + 1] == "-h") {
        fail(ExitCode::input, "{} lacks a value, write {} {}", word, word,
             option == options.end() ? "FILE" : option->metavar);
      }
      joined.insert(joined.end(), {word, arguments[++i]});
    } else if (option != options.end()) {
      const bool value_follows = has_next && !arguments[i + 1].starts_with("-") &&
                                 (!takes_words || is_one_of(arguments[i + 1], option->words));
      joined.push_back(word + "=" + (value_follows ? arguments[++i] : "true"));
    } else if (!word.starts_with("-") && !positional.empty()) {
      joined.insert(joined.end(), {positional.front(), word});
      positional.erase(positional.begin());
    } else {
      if (takes_words && !word.starts_with("-")) refuse_word(word, options);
      joined.push_back(word);
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
    po::store(po::command_line_parser(with_names(arguments, options))
                  .options(description)
                  .positional(no_words)
                  .style(style)
                  .run(),
              settings);
  } catch (const po::unknown_option& error) {
    std::string word = error.get_option_name();
    word.resize(std::min(word.size(), word.find('=')));
    if (!word.starts_with("--")) {  // a letter; -modes was read as -m odes
      const auto given =
          std::ranges::find_if(arguments, [&](const auto& argument) { return argument.starts_with(word); });
      if (given != arguments.end()) word = *given;
    }
    unknown("", word, options);
  } catch (const po::too_many_positional_options_error&) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const bool is_value =
          i > 0 && arguments[i - 1].starts_with("--") && arguments[i - 1].find('=') == std::string::npos;
      if (!arguments[i].starts_with("-") && !is_value) {
        refuse_word(arguments[i], options);
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

/// A comment starts with a # or ; that begins a line or follows white space; elsewhere they belong to their word.
std::string without_comment(const std::string& line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    if ((line[i] == '#' || line[i] == ';') && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t')) {
      return trimmed(line.substr(0, i));
    }
  }
  return trimmed(line);
}

/// A value that would be read as something else without double quotes is put between them, " as \", \ as \\.
std::string quoted(const std::string& value) {
  if (value == trimmed(value) && value.find_first_of("#;\"") == std::string::npos) return value;
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

/// The inverse, for `text` that begins with a double quote; only a comment may follow the other one.
std::string unquoted(const std::string& where, const std::string& text) {
  std::string value;
  std::size_t i = 1;
  for (; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\')) ++i;
    value += text[i];
  }
  if (i == text.size() || !without_comment(text.substr(i + 1)).empty()) {
    fail(ExitCode::input, "{}{} is not of the form \"value\"", where, text);
  }
  return value;
}

/// All of a text file. Looks at each byte at once, since /dev/zero has no end.
std::string read_text(const std::string& path) {
  std::ifstream in(path);
  if (!in) fail(ExitCode::input, "--config {}: cannot be opened: {}", path, std::strerror(errno));
  std::string text;
  for (char c = 0; in.get(c);) {
    if (std::iscntrl(static_cast<unsigned char>(c)) != 0 && c != '\t' && c != '\r' && c != '\n') {
      fail(ExitCode::input, "--config {}: is not a text file (UTF-8)", path);
    }
    text += c;
  }
  if (in.bad()) fail(ExitCode::input, "--config {}: cannot be read (is it a file?)", path);
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  return text.starts_with(byte_order_mark) ? text.substr(byte_order_mark.size()) : text;
}

/// The name in a line [name]. @throws Error(input) when no option is in such a section.
std::string section_in(const std::string& where, const std::string& line, const std::vector<Option>& options) {
  if (line.back() != ']') fail(ExitCode::input, "{}'{}' is not of the form [section]", where, line);
  std::string section = trimmed(line.substr(1, line.size() - 2));
  if (section.empty()) fail(ExitCode::input, "{}'{}' names no section", where, line);
  std::vector<std::string> sections;
  for (const Option& option : options) {
    if (option.name.find('.') != std::string::npos) sections.push_back(section_of(option.name));
  }
  if (std::find(sections.begin(), sections.end(), section) == sections.end()) {
    const auto meant = nearest(section, sections);
    fail(ExitCode::input, "{}unknown section [{}]{}", where, section,
         meant ? fmt::format("; did you mean [{}]?", *meant) : "");
  }
  return section;
}

/// Reads line by line, so that every complaint can name the line. What the command line has too is checked for its name
/// alone.
void read_lines(const std::string& text, const std::string& path, std::vector<Option>& options,
                const po::variables_map& command_line) {
  std::istringstream in(text);
  std::map<std::string, int> seen;
  std::string section;
  std::string whole_line;
  for (int number = 1; std::getline(in, whole_line); ++number) {
    const std::string where = fmt::format("{}:{}: ", path, number);
    const std::string line = without_comment(whole_line);
    if (line.empty()) continue;
    if (line.front() == '[') {
      section = section_in(where, line, options);
      continue;
    }
    const auto equals = line.find('=');
    if (equals == std::string::npos) fail(ExitCode::input, "{}'{}' is not of the form key = value", where, line);
    const std::string key = trimmed(line.substr(0, equals));
    if (key.empty()) fail(ExitCode::input, "{}'{}' has no name before the equals sign", where, line);
    const std::string name = section.empty() ? key : section + "." + key;
    if (name == "config" || name == "help" || name == "print-config") {
      fail(ExitCode::input, "{}{} belongs on the command line, as --{}", where, name, name);
    }
    Option& option = find(where, name, options);
    const auto [earlier, is_new] = seen.emplace(name, number);
    if (!is_new) fail(ExitCode::input, "{}--{} is given twice, first in line {}", where, name, earlier->second);
    std::string value = trimmed(line.substr(equals + 1));
    if (value.starts_with('"')) value = unquoted(where, trimmed(whole_line.substr(whole_line.find('=') + 1)));
    if (command_line.count(name) == 0) store(option, where, value);
  }
}

}  // namespace

std::string section_of(const std::string& name) {
  const auto dot = name.find('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

Request parse_options(const std::vector<std::string>& arguments, std::vector<Option>& options) {
  const po::variables_map command_line = parse_command_line(arguments, options);
  if (command_line.count("help") != 0) return Request::help;
  if (command_line.count("config") != 0) {
    const std::string& path = command_line["config"].as<std::string>();
    read_lines(read_text(path), path, options, command_line);
  }
  for (Option& option : options) {
    if (command_line.count(option.name) != 0) store(option, "", command_line[option.name].as<std::string>());
  }
  return command_line.count("print-config") != 0 ? Request::print_config : Request::run;
}

void read_settings(const std::string& text, const std::string& source, std::vector<Option>& options) {
  read_lines(text, source, options, {});
}

std::string config_text(const std::vector<Option>& options) {
  std::string text;
  std::string section;
  for (const Option& option : options) {
    if (section_of(option.name) != section) {
      section = section_of(option.name);
      text += fmt::format("\n[{}]\n", section);
    }
    const std::string value = option.text();
    text += fmt::format("{} ={}{}\n", key_of(option.name), value.empty() ? "" : " ", quoted(value));
  }
  return text;
}

std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  std::size_t best_distance = word.size() / 3 + 1;  // further away is another word
  for (const std::string& candidate : candidates) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (const char letter : word) {
      std::size_t diagonal = row[0]++;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t change = diagonal + (letter == candidate[j] ? 0 : 1);
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
