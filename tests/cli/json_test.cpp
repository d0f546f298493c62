#include "stepwise/cli/json.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

namespace stepwise {
namespace {

TEST(Json, Values) {
  EXPECT_EQ(json_text({}), "null");
  EXPECT_EQ(json_text(true), "true");
  EXPECT_EQ(json_text(false), "false");
  EXPECT_EQ(json_text(-7), "-7");
  EXPECT_EQ(json_text(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(json_text("text"), "\"text\"");
  EXPECT_EQ(json_text(Json::Array{}), "[]");
  EXPECT_EQ(json_text(Json::Object{}), "{}");
}

TEST(Json, DoublesComeBackExactly) {
  for (const double number : {0.1, 1.0 / 3, 1e-300, 5e-324, 1.7976931348623157e308, 12345678901234567.0, -2.5}) {
    EXPECT_EQ(std::strtod(json_text(number).c_str(), nullptr), number);
  }
  EXPECT_EQ(json_text(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(json_text(-std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(json_text(std::numeric_limits<double>::quiet_NaN()), "null");
}

TEST(Json, ObjectsKeepTheirOrder) {
  const Json::Object inner{{"b", 1}, {"a", Json::Array{1, "two", {}}}};
  EXPECT_EQ(json_text(Json::Object{{"z", inner}, {"y", 0.5}}), R"({"z": {"b": 1, "a": [1, "two", null]}, "y": 0.5})");
}

TEST(Json, ControlCharactersAndQuotesAreEscaped) {
  EXPECT_EQ(json_text("a\"b\\c\nd\te\r"), R"("a\"b\\c\nd\u0009e\u000d")");
  EXPECT_EQ(json_text(std::string("\0\x1f\x7f", 3)), R"("\u0000\u001f\u007f")");
}

TEST(Json, Utf8StaysAndTheRestIsReplaced) {
  for (const char* text : {"γ", "日本", "\xF0\x9F\x98\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(json_text(text), '"' + std::string(text) + '"');
  }
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(json_text("a\xFF"
                      "b"),
            "\"a" + bad + "b\"");
  EXPECT_EQ(json_text("\xC3"), '"' + bad + '"') << "cut off";
  EXPECT_EQ(json_text("\xE2\x82"), '"' + bad + bad + '"') << "cut off";
  EXPECT_EQ(json_text("\xC0\xAF"), '"' + bad + bad + '"') << "overlong";
  EXPECT_EQ(json_text("\xE0\x80\x80"), '"' + bad + bad + bad + '"') << "overlong";
  EXPECT_EQ(json_text("\xED\xA0\x80"), '"' + bad + bad + bad + '"') << "surrogate";
  EXPECT_EQ(json_text("\xF5\x80\x80\x80"), '"' + bad + bad + bad + bad + '"') << "beyond U+10FFFF";
}

}  // namespace
}  // namespace stepwise
