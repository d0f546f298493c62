#include "stepwise/cli/help.hpp"

#include <fmt/format.h>

#include <sstream>

namespace stepwise {
namespace {

constexpr std::size_t width = 100;  // columns
constexpr std::size_t indent = 36;  // where the explanations begin

/// Words in lines that end before `width` and begin at `indent`, but for the first, which begins where it stands.
std::string wrapped(const std::string& text) {
  std::istringstream words(text);
  std::string lines;
  std::size_t column = indent;
  for (std::string word; words >> word;) {
    const bool fits = column + 1 + word.size() <= width;
    if (!lines.empty()) lines += fits ? " " : fmt::format("\n{:{}}", "", indent);
    column = (fits ? column + 1 : indent) + word.size();
    lines += word;
  }
  return lines;
}

std::string entry(const Option& option) {
  const std::string value = value_name(option);
  const std::string left = fmt::format("  --{}{}{}", option.name, value.empty() ? "" : " ", value);
  const std::string gap =
      left.size() + 2 <= indent ? std::string(indent - left.size(), ' ') : "\n" + std::string(indent, ' ');
  return left + gap + wrapped(help_with_default(option)) + "\n";
}

}  // namespace

std::vector<Option> standing_options() {
  return {{"config", "FILE", "read settings from an INI file; the command line wins", {}, {}},
          {"print-config", "", "write all settings as such a file and stop", {}, {}},
          {"help", "", "this text; also -h", {}, {}}};
}

std::string value_name(const Option& option) {
  if (!option.metavar.empty()) return option.metavar;
  return option.words.empty() ? "" : "[true|false]";
}

std::string help_with_default(const Option& option) {
  const std::string value = option.text ? option.text() : "";
  return value.empty() ? option.help : fmt::format("{} (default {})", option.help, value);
}

std::string help_text(const std::string& usage, const std::vector<Option>& options, const SectionTitles& titles) {
  std::string text = usage;
  std::string section = "none yet";
  for (const Option& option : options) {
    if (section_of(option.name) != section) {
      section = section_of(option.name);
      const auto title = titles.find(section);
      const std::string words = title == titles.end() ? "" : title->second;
      text += section.empty() ? fmt::format("\n{}:\n", words.empty() ? "General" : words)
                              : fmt::format("\n[{}]{}{}\n", section, words.empty() ? "" : " ", words);
    }
    text += entry(option);
  }
  text += "\nOf every command:\n";
  for (const Option& option : standing_options()) text += entry(option);
  return text;
}

}  // namespace stepwise
