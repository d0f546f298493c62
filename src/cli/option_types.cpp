#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "stepwise/cli/options.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

template <class T>
std::optional<T> number(const std::string& text) {
  if (text.starts_with("+-")) return std::nullopt;
  T value{};
  const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error != std::errc() || stop != end || begin == end) return std::nullopt;
  return value;
}

std::int64_t parse_integer(const std::string& text, std::int64_t lowest, std::int64_t highest) {
  const auto value = number<std::int64_t>(text);
  if (!value || *value < lowest || *value > highest) {
    fail(ExitCode::input, "must be a whole number from {} to {}", lowest, highest);
  }
  return *value;
}

double parse_real(const std::string& text, double lowest, double highest) {
  const auto value = number<double>(text);
  if (!value || !std::isfinite(*value) || *value < lowest || *value > highest) {
    if (std::isfinite(highest)) fail(ExitCode::input, "must be a number from {} to {}", lowest, highest);
    if (std::isfinite(lowest)) fail(ExitCode::input, "must be a finite number >= {}", lowest);
    fail(ExitCode::input, "must be a finite number");
  }
  return *value;
}

bool parse_flag(const std::string& text) {
  for (const char* word : {"true", "yes", "on", "1"}) {
    if (text == word) return true;
  }
  for (const char* word : {"false", "no", "off", "0"}) {
    if (text == word) return false;
  }
  fail(ExitCode::input, "must be true or false");
}

template <class T, class Parse>
Option make_auto(std::string name, std::string metavar, std::string help, std::optional<T>& target, Parse parse,
                 const std::string& word = "auto") {
  return {std::move(name),
          std::move(metavar),
          std::move(help),
          [&target, parse, word](const std::string& text) {
            if (text == word) {
              target = std::nullopt;
              return;
            }
            try {
              target = parse(text);
            } catch (const Error& error) {
              fail(ExitCode::input, "{}, or {}", error.what(), word);
            }
          },
          [&target, word] { return target ? fmt::format("{}", *target) : word; },
          {word}};
}

}  // namespace

Option text_option(std::string name, std::string metavar, std::string help, std::string& target) {
  return {std::move(name), std::move(metavar), std::move(help), [&target](const std::string& text) { target = text; },
          [&target] { return target; }};
}

Option positional_option(std::string name, std::string help, std::string& target) {
  help += fmt::format("; --{} may be left out", name);
  Option option = text_option(std::move(name), "FILE", std::move(help), target);
  option.positional = true;
  return option;
}

Option flag_option(std::string name, std::string help, bool& target) {
  return {std::move(name),
          "",
          std::move(help),
          [&target](const std::string& text) { target = parse_flag(text); },
          [&target] { return target ? "true" : "false"; },
          {"true", "false"}};
}

Option integer_option(std::string name, std::string metavar, std::string help, std::int64_t& target,
                      std::int64_t lowest, std::int64_t highest) {
  return {std::move(name), std::move(metavar), std::move(help),
          [&target, lowest, highest](const std::string& text) { target = parse_integer(text, lowest, highest); },
          [&target] { return fmt::format("{}", target); }};
}

Option real_option(std::string name, std::string metavar, std::string help, double& target, double lowest,
                   double highest) {
  return {std::move(name), std::move(metavar), std::move(help),
          [&target, lowest, highest](const std::string& text) { target = parse_real(text, lowest, highest); },
          [&target] { return fmt::format("{}", target); }};
}

Option auto_option(std::string name, std::string metavar, std::string help, std::optional<std::int64_t>& target,
                   std::int64_t lowest, std::int64_t highest, const std::string& word) {
  return make_auto(
      std::move(name), std::move(metavar), std::move(help), target,
      [lowest, highest](const std::string& text) { return parse_integer(text, lowest, highest); }, word);
}

Option auto_option(std::string name, std::string metavar, std::string help, std::optional<double>& target,
                   double lowest, double highest, const std::string& word) {
  return make_auto(
      std::move(name), std::move(metavar), std::move(help), target,
      [lowest, highest](const std::string& text) { return parse_real(text, lowest, highest); }, word);
}

Option auto_flag_option(std::string name, std::string help, std::optional<bool>& target) {
  Option option = make_auto(std::move(name), "", std::move(help), target, parse_flag);
  option.words = {"true", "false", "auto"};
  return option;
}

Option choice_option(std::string name, std::string help, std::string& target, std::vector<std::string> choices) {
  std::string metavar = fmt::format("{}", fmt::join(choices, "|"));
  return {std::move(name),
          std::move(metavar),
          std::move(help),
          [&target, choices](const std::string& text) {
            if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
              const auto meant = nearest(text, choices);
              fail(ExitCode::input, "must be one of {}{}", fmt::join(choices, ", "),
                   meant ? fmt::format("; did you mean {}?", *meant) : "");
            }
            target = text;
          },
          [&target] { return target; },
          choices};
}

}  // namespace stepwise
