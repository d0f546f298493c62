#include "stepwise/cli/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace stepwise {
namespace {

/// Bytes of the UTF-8 sequence that `text` begins with, 0 if it begins with none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xC2 && first < 0xE0 ? 2 : first >= 0xE0 && first < 0xF0 ? 3 : 4;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second >= 0xA0;
  const bool too_large = first == 0xF4 && second >= 0x90;
  return overlong || surrogate || too_large ? 0 : length;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const auto letter = static_cast<unsigned char>(text.front());
    const std::size_t length = sequence_length(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (letter == '"' || letter == '\\') {
      out += {'\\', text.front()};
    } else if (letter == '\n') {
      out += "\\n";
    } else if (letter < 0x20 || letter == 0x7F) {
      out += fmt::format("\\u{:04x}", letter);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out + '"';
}

struct Writer {
  std::string& out;

  void operator()(std::nullptr_t) { out += "null"; }
  void operator()(bool flag) { out += flag ? "true" : "false"; }
  void operator()(std::int64_t number) { out += fmt::format("{}", number); }
  void operator()(double number) { out += std::isfinite(number) ? fmt::format("{}", number) : "null"; }
  void operator()(const std::string& text) { out += quoted(text); }
  void operator()(const Json::Array& array) {
    out += '[';
    for (std::size_t i = 0; i < array.size(); ++i) {
      if (i > 0) out += ", ";
      std::visit(*this, array[i].value);
    }
    out += ']';
  }
  void operator()(const Json::Object& object) {
    out += '{';
    for (std::size_t i = 0; i < object.size(); ++i) {
      if (i > 0) out += ", ";
      out += quoted(object[i].first) + ": ";
      std::visit(*this, object[i].second.value);
    }
    out += '}';
  }
};

}  // namespace

std::string json_text(const Json& json) {
  std::string out;
  std::visit(Writer{out}, json.value);
  return out;
}

}  // namespace stepwise
