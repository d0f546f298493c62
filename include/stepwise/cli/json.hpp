#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace stepwise {

/// A JSON value. The members of an object stay in order.
struct Json {
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;
  std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object> value = nullptr;

  Json() = default;
  Json(bool flag) : value(flag) {}
  Json(int number) : value(std::int64_t{number}) {}
  Json(std::int64_t number) : value(number) {}
  Json(double number) : value(number) {}
  Json(const char* text) : value(std::string(text)) {}
  Json(std::string text) : value(std::move(text)) {}
  Json(Array array) : value(std::move(array)) {}
  Json(Object object) : value(std::move(object)) {}
};

/// On one line, in UTF-8. What is not UTF-8 becomes U+FFFD, numbers that JSON does not have (nan, inf) null; doubles
/// have the digits that bring them back exactly.
[[nodiscard]] std::string json_text(const Json& json);

}  // namespace stepwise
