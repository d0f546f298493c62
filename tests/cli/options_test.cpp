#include "stepwise/cli/options.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

/// One setting of every kind, with its default.
struct Settings {
  std::string name = "nobody";
  std::int64_t count = 3;
  bool quick = false;
  double size = 0.5;
  double any = 0;
  std::optional<std::int64_t> parts{};
  std::optional<double> scale{};
  std::optional<bool> flip{};
  std::string type = "rbf";

  [[nodiscard]] std::vector<Option> options() {
    constexpr double unbounded = std::numeric_limits<double>::infinity();
    return {
        text_option("name", "NAME", "who", name),
        integer_option("count", "N", "how many", count, 1, 100),
        flag_option("run.quick", "whether to hurry", quick),
        real_option("run.size", "S", "how large", size, 0, 2),
        real_option("run.any", "X", "any number", any, -unbounded, unbounded),
        auto_option("kernel.parts", "N", "how many parts", parts, 0, INT64_MAX),
        auto_option("kernel.scale", "L", "how long", scale, 0, unbounded),
        auto_flag_option("kernel.flip", "whether to mirror", flip),
        choice_option("kernel.type", "which", type, {"linear", "rbf", "laplace"}),
    };
  }
  Request parse(const Words& words) {
    auto all = options();
    return parse_options(words, all);
  }
  friend bool operator==(const Settings&, const Settings&) = default;
};

class Options : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::string(STEPWISE_TEST_SCRATCH) + "/options." + std::to_string(getpid()) + ".ini";
  }
  void TearDown() override { std::filesystem::remove(path_); }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Settings parse(const std::string& file, Words words = {}) const {
    std::ofstream(path_) << file;
    words.insert(words.end(), {"--config", path_});
    Settings s;
    EXPECT_EQ(s.parse(words), Request::run);
    return s;
  }
  /// The message with which a command line, or a file, is refused.
  [[nodiscard]] static std::string refusal(const Words& words) {
    try {
      Settings s;
      (void)s.parse(words);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::input);
      return error.what();
    }
    ADD_FAILURE() << "accepted: " << testing::PrintToString(words);
    return "";
  }
  [[nodiscard]] std::string file_refusal(const std::string& file) const {
    std::ofstream(path_) << file;
    return refusal({"--config", path_});
  }

 private:
  std::string path_;
};

TEST_F(Options, NothingGivenLeavesTheDefaults) {
  Settings s;
  EXPECT_EQ(s.parse({}), Request::run);
  EXPECT_EQ(s, Settings());
}

TEST_F(Options, EveryKindOnTheCommandLine) {
  Settings s;
  EXPECT_EQ(s.parse({"--name", "Ann Other", "--count=7", "--run.quick", "--run.size", "1.5e0", "--run.any", "-2.5",
                     "--kernel.parts", "9", "--kernel.scale=0.25", "--kernel.flip", "no", "--kernel.type", "linear"}),
            Request::run);
  EXPECT_EQ(s, (Settings{"Ann Other", 7, true, 1.5, -2.5, 9, 0.25, false, "linear"}));
  EXPECT_EQ(s.parse({"--kernel.parts", "auto", "--kernel.scale=auto", "--kernel.flip", "auto"}), Request::run);
  EXPECT_EQ(s, (Settings{"Ann Other", 7, true, 1.5, -2.5, {}, {}, {}, "linear"}));
}

TEST_F(Options, EveryKindInAFile) {
  const Settings s = parse(
      "# a comment\n"
      "name = Ann Other\n"
      "  count=7   # another\n"
      "\n"
      "[run]\r\n"
      "quick = yes\r\n"
      "size = 1.5\r\n"
      "\tany\t=\t-2.5\n"
      "[kernel]  # a comment\n"
      "parts = 9\n"
      "scale = 0.25\n"
      "flip = off\n"
      "[run]\n"
      "[kernel]\n"
      "type = linear");
  EXPECT_EQ(s, (Settings{"Ann Other", 7, true, 1.5, -2.5, 9, 0.25, false, "linear"}));
}

TEST_F(Options, TheCommandLineWins) {
  for (const Words& words : {Words{"--count", "5", "--run.quick=false", "--kernel.parts=auto"},
                             Words{"--kernel.parts=auto", "--run.quick", "false", "--count=5"}}) {
    const Settings s = parse("count = 4\nname = x\n[run]\nquick = true\n[kernel]\nparts = 3\n", words);
    EXPECT_EQ(s.count, 5);
    EXPECT_FALSE(s.quick);
    EXPECT_FALSE(s.parts);
    EXPECT_EQ(s.name, "x");
  }
}

TEST_F(Options, AValueMayHoldWhatLooksLikeSyntax) {
  const Settings s = parse("name = /data#1/a=b [c] 'd'.h5  # the file\n");
  EXPECT_EQ(s.name, "/data#1/a=b [c] 'd'.h5");
  EXPECT_EQ(parse("name =\n").name, "");
  EXPECT_EQ(parse("name = a;b  ; the file\n").name, "a;b");
  EXPECT_EQ(parse("name = \" #1 ; \"# the file\r\n").name, " #1 ; ");
  EXPECT_EQ(parse(R"(name = "a \"b\" \\ \c = #d"  ; the file)").name, R"(a "b" \ \c = #d)");
  EXPECT_EQ(parse(R"(name = 5" disc)").name, R"(5" disc)");
  Settings t;
  EXPECT_EQ(t.parse({"--name=a=b"}), Request::run);
  EXPECT_EQ(t.name, "a=b");
}

TEST_F(Options, BooleanWords) {
  for (const char* word : {"true", "yes", "on", "1"}) {
    Settings s;
    EXPECT_EQ(s.parse({"--run.quick", word, std::string("--kernel.flip=") + word}), Request::run);
    EXPECT_TRUE(s.quick);
    EXPECT_EQ(s.flip, true);
    EXPECT_TRUE(parse(std::string("[run]\nquick = ") + word).quick);
  }
  for (const char* word : {"false", "no", "off", "0"}) {
    Settings s;
    s.quick = true;
    EXPECT_EQ(s.parse({"--run.quick", word, std::string("--kernel.flip=") + word}), Request::run);
    EXPECT_FALSE(s.quick);
    EXPECT_EQ(s.flip, false);
  }
  for (const char* word : {"maybe", "2", "True", "tru", "auto"}) {
    EXPECT_THAT(refusal({"--run.quick", word}),
                testing::AllOf(HasSubstr("--run.quick is '"), HasSubstr(word), HasSubstr("must be true or false")));
  }
  Settings bare;
  EXPECT_EQ(bare.parse({"--run.quick", "--count", "2"}), Request::run);  // a flag followed by an option
  EXPECT_TRUE(bare.quick);
  EXPECT_EQ(bare.count, 2);
}

TEST_F(Options, MalformedNumbersNameOptionAndValue) {
  for (const std::string word : {"many", "2.5", "1e2", "0x10", "7 8", "7x", " 7", "+", "-", "+-7", "1,000",
                                 "99999999999999999999", "nan", "auto"}) {
    const std::string message = refusal({"--count=" + word});
    EXPECT_THAT(message, HasSubstr("--count is '" + word + "', must be a whole number from 1 to 100"));
  }
  for (const std::string word : {"small", "nan", "inf", "-inf", "1e999", "1,5", "1.5.2", "0x1p3", "+-1", "auto"}) {
    EXPECT_THAT(refusal({"--run.size=" + word}),
                HasSubstr("--run.size is '" + word + "', must be a number from 0 to 2"));
    EXPECT_THAT(refusal({"--run.any=" + word}), HasSubstr("--run.any is '" + word + "', must be a finite number"));
  }
  EXPECT_THAT(refusal({"--kernel.parts=x"}),
              HasSubstr("--kernel.parts is 'x', must be a whole number from 0 to 9223372036854775807"));
  EXPECT_THAT(refusal({"--kernel.scale=x"}), HasSubstr("--kernel.scale is 'x', must be a finite number >= 0"));
  EXPECT_THAT(file_refusal("\n[run]\nsize = big\n"), HasSubstr(path() + ":3: --run.size is 'big', must be a number"));
  EXPECT_THAT(refusal({"--count="}), HasSubstr("--count"));
  EXPECT_THAT(file_refusal("count =\n"), HasSubstr(path() + ":1: --count is ''"));
}

TEST_F(Options, Ranges) {
  for (const char* word : {"0", "101", "-1", "-9223372036854775808", "9223372036854775807"}) {
    EXPECT_THAT(refusal({"--count", word}), HasSubstr(word));
    EXPECT_THAT(refusal({std::string("--count=") + word}), HasSubstr("from 1 to 100"));
  }
  for (const char* word : {"-1e-9", "2.0000001", "-1"}) EXPECT_THAT(refusal({"--run.size", word}), HasSubstr(word));
  for (const char* word : {"-1", "9223372036854775808", "18446744073709551615", "99999999999999999999"}) {
    EXPECT_THAT(refusal({"--kernel.parts", word}), HasSubstr("from 0 to 9223372036854775807"));
  }
  EXPECT_THAT(refusal({"--kernel.scale", "-0.5"}), HasSubstr("-0.5"));
  Settings s;
  EXPECT_EQ(s.parse({"--count", "+100", "--run.size=2", "--kernel.parts=9223372036854775807"}), Request::run);
  EXPECT_EQ(s.count, 100);
  EXPECT_EQ(s.size, 2);
  EXPECT_EQ(s.parts, INT64_MAX);
}

TEST_F(Options, Choices) {
  EXPECT_THAT(refusal({"--kernel.type", "gauss"}),
              testing::AllOf(HasSubstr("--kernel.type is 'gauss'"), HasSubstr("one of linear, rbf, laplace")));
  EXPECT_THAT(refusal({"--kernel.type", "laplase"}), HasSubstr("did you mean laplace?"));
  EXPECT_THAT(file_refusal("[kernel]\ntype = rbv\n"), HasSubstr(path() + ":2: --kernel.type is 'rbv'"));
}

TEST_F(Options, UnknownNamesAndTheirNeighbours) {
  EXPECT_THAT(refusal({"--kernel.tipe", "rbf"}),
              HasSubstr("unknown option --kernel.tipe; did you mean --kernel.type?"));
  EXPECT_THAT(refusal({"--kernel.typ=rbf"}), HasSubstr("unknown option --kernel.typ;"));  // no guessing
  EXPECT_THAT(refusal({"--zzzzzzzzzz"}), HasSubstr("--help lists them all"));
  EXPECT_THAT(refusal({"--kernel.type", "rbf", "--kernel.typ", "rbf"}), HasSubstr("unknown option --kernel.typ;"));
  EXPECT_THAT(refusal({"-x"}), testing::StartsWith("unknown option -x;"));
  EXPECT_THAT(refusal({"--count", "2", "-count", "3"}),
              testing::StartsWith("unknown option -count; did you mean --count?"));
  EXPECT_THAT(refusal({"--confg=a.ini"}), HasSubstr("did you mean --config?"));
  // A section left out, another section, a slip in the section.
  EXPECT_THAT(refusal({"--size", "1"}), HasSubstr("unknown option --size; did you mean --run.size?"));
  EXPECT_THAT(refusal({"--sizes", "1"}), HasSubstr("did you mean --run.size?"));
  EXPECT_THAT(refusal({"--run.scale", "1"}), HasSubstr("did you mean --kernel.scale?"));
  EXPECT_THAT(refusal({"--kernal.scale", "1"}), HasSubstr("did you mean --kernel.scale?"));
  EXPECT_THAT(file_refusal("[run]\nscale = 1\n"), HasSubstr(":2: unknown option --run.scale; did you mean --kernel."));

  EXPECT_THAT(file_refusal("count = 2\n[kernel]\n\ntipe = rbf\n"),
              HasSubstr(path() + ":4: unknown option --kernel.tipe; did you mean --kernel.type?"));
  EXPECT_THAT(file_refusal("[kernels]\n"), HasSubstr(path() + ":1: unknown section [kernels]; did you mean [kernel]?"));
  EXPECT_THAT(file_refusal("[a]\n"), testing::EndsWith(":1: unknown section [a]"));
  EXPECT_THAT(file_refusal("[run]\ntype = rbf\n"), HasSubstr(":2: unknown option --run.type"));
  for (const std::string word : {"config", "help", "print-config"}) {
    EXPECT_THAT(file_refusal(word + " = x\n"), HasSubstr(":1: " + word + " belongs on the command line"));
    // What only the command line knows is no neighbour in a file.
    EXPECT_THAT(file_refusal(word + "s = x\n"),
                testing::AllOf(HasSubstr(":1: unknown option"), Not(HasSubstr("did you mean"))));
  }
}

TEST_F(Options, TextFromElsewhere) {
  Settings s;
  auto options = s.options();
  read_settings("count = 7\n[run]\nquick = yes\n", "result.h5", options);
  EXPECT_EQ(s, (Settings{.count = 7, .quick = true}));
  EXPECT_THAT([&] { read_settings("count = 7\n[run]\nquik = yes\n", "result.h5", options); },
              testing::ThrowsMessage<Error>(
                  testing::StartsWith("result.h5:3: unknown option --run.quik; did you mean --run.q")));
}

TEST_F(Options, LinesOfAnotherForm) {
  for (const std::string line : {"type rbf", "type", "type: rbf"}) {
    EXPECT_THAT(file_refusal("[kernel]\n" + line + "\n"),
                HasSubstr(":2: '" + line + "' is not of the form key = value"));
  }
  EXPECT_THAT(file_refusal("type # = rbf\n"), HasSubstr(":1: 'type' is not of the form key = value"));
  EXPECT_THAT(file_refusal("= 3\n"), HasSubstr(":1: '= 3' has no name before the equals sign"));
  for (const std::string line : {"[]", "[ ]"}) {
    EXPECT_THAT(file_refusal(line + "\n"), HasSubstr(":1: '" + line + "' names no section"));
  }
  for (const std::string value : {R"("open)", R"(")", R"("a" b)", R"("a\")", R"("a"b")"}) {
    EXPECT_THAT(file_refusal("\nname = " + value + "\n"), HasSubstr(":2: " + value + " is not of the form \"value\""));
  }
  EXPECT_THAT(file_refusal("[kernel\ntype = rbf\n"), HasSubstr(":1: '[kernel' is not of the form [section]"));
  EXPECT_THAT(file_refusal("[kernel] type = rbf\n"),
              HasSubstr(":1: '[kernel] type = rbf' is not of the form [section]"));
}

TEST_F(Options, GivenTwice) {
  EXPECT_THAT(refusal({"--count", "2", "--count", "3"}), HasSubstr("--count is given twice"));
  EXPECT_THAT(refusal({"--run.quick", "--run.quick"}), HasSubstr("--run.quick is given twice"));
  EXPECT_THAT(refusal({"--run.quick=false", "--run.quick"}), HasSubstr("--run.quick is given twice"));
  EXPECT_THAT(refusal({"--kernel.parts=2", "--kernel.parts", "2"}), HasSubstr("--kernel.parts is given twice"));
  EXPECT_THAT(file_refusal("count = 2\n[run]\nsize = 1\n[run]\nsize = 1\n"),
              HasSubstr(":5: --run.size is given twice, first in line 3"));
}

TEST_F(Options, StrayWords) {
  EXPECT_THAT(refusal({"stray"}), HasSubstr("stray word 'stray'"));
  EXPECT_THAT(refusal({"--count", "2", "stray"}), HasSubstr("stray word 'stray'"));
  EXPECT_THAT(refusal({"--count=2", "stray", "--run.quick"}), HasSubstr("stray word 'stray'"));
  EXPECT_THAT(refusal({"--", "stray"}), HasSubstr("stray"));
}

TEST_F(Options, WordsMayStandForPositionalOptions) {
  struct Files {
    std::string first;
    std::string second = "b";
    bool quick = false;
    std::int64_t count = 1;
    std::vector<Option> options() {
      return {positional_option("first", "one", first), integer_option("count", "N", "how many", count, 1, 9),
              positional_option("second", "other", second), flag_option("quick", "whether to hurry", quick)};
    }
    std::string parse(const Words& words) {
      auto all = options();
      (void)parse_options(words, all);
      return fmt::format("{} {} {} {}", first, second, quick, count);
    }
  };
  EXPECT_EQ(Files{}.parse({"x"}), "x b false 1");
  EXPECT_EQ(Files{}.parse({"x", "y"}), "x y false 1");
  EXPECT_EQ(Files{}.parse({"--quick", "x", "--count", "2", "y"}), "x y true 2");
  EXPECT_EQ(Files{}.parse({"--quick", "false", "x"}), "x b false 1");
  EXPECT_EQ(Files{}.parse({"--first", "x", "y"}), "x y false 1");
  EXPECT_EQ(Files{}.parse({"y", "--first=x"}), "x y false 1");
  const auto refuse = [](const Words& words) {
    try {
      (void)Files{}.parse(words);
      return std::string("accepted");
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(refuse({"x", "y", "z"}),
            "stray word 'z' on the command line; settings are written --name value, only --first and --second may go "
            "without a name, once each");
  EXPECT_THAT(refuse({"--first", "x", "--second=y", "z"}), HasSubstr("stray word 'z'"));
  EXPECT_THAT(refuse({"-x"}), HasSubstr("unknown option -x"));
  Files files;
  const auto options = files.options();
  EXPECT_EQ(options.front().help, "one; --first may be left out");
  EXPECT_THAT(config_text(options), HasSubstr("second = b"));
}

TEST_F(Options, MissingValues) {
  for (const Words& words :
       {Words{"--count"}, {"--count", "--name", "x"}, {"--name", "x", "--count", "--run.quick"}, {"--count", "-h"}}) {
    EXPECT_EQ(refusal(words), "--count lacks a value, write --count N");
  }
  EXPECT_EQ(refusal({"--config", "--name", "x"}), "--config lacks a value, write --config FILE");
  Settings s;
  EXPECT_EQ(s.parse({"--name=--count", "--run.any", "-1"}), Request::run);
  EXPECT_EQ(s.name, "--count");
}

TEST_F(Options, FilesThatCannotBeRead) {
  EXPECT_THAT(refusal({"--config", path() + ".absent"}),
              testing::AllOf(HasSubstr(path() + ".absent"), HasSubstr("No such file")));
  EXPECT_THAT(refusal({"--config", STEPWISE_TEST_SCRATCH}), HasSubstr(STEPWISE_TEST_SCRATCH));
}

TEST_F(Options, FilesFromOtherSystems) {
  EXPECT_EQ(parse("\xEF\xBB\xBF; with a byte order mark\r\ncount = 7\r\n[ run ]\r\nquick = yes\r\n"),
            (Settings{.count = 7, .quick = true}));
  using std::string_literals::operator""s;
  for (const std::string& content : {"\x89HDF\r\n\x1A\n"s, "\xFF\xFE"s + "c\0o\0"s, "name = \x1B[2J\n"s, "\x7F"s}) {
    EXPECT_EQ(file_refusal(content), "--config " + path() + ": is not a text file (UTF-8)");
  }
  EXPECT_THAT(refusal({"--config", "/dev/zero"}), HasSubstr("/dev/zero: is not a text file"));
}

TEST_F(Options, ValuesThatNoLineCouldHold) {
  for (const char* value : {"a\nb", "\r", "\x1B[2J", "\x7F"}) {
    EXPECT_THAT(refusal({"--name", value}), HasSubstr("--name has a control character (code "));
  }
}

TEST_F(Options, Requests) {
  Settings s;
  for (const char* word : {"--help", "-h"}) EXPECT_EQ(s.parse({word, "--count", "2"}), Request::help);
  EXPECT_EQ(s.parse({"--print-config", "--count", "5"}), Request::print_config);
  EXPECT_EQ(s.count, 5);
}

TEST_F(Options, ConfigTextGivesTheSameSettings) {
  std::vector<Settings> all{
      {},
      {"Ann Other", 7, true, 0.1, -1.0 / 3, 9, 5e-324, false, "linear"},
      {.name = ""},
      {"/a#b=c", 1, false, 2, 1.7976931348623157e308, 0, 0.25, true, "laplace"},
  };
  for (const char* name : {"a #1.h5", "#1", "; a", " a ", "\t", "\"a\"", "\"", "a\\", "\\ #\\\\\"", "[a]", "a = b"}) {
    all.push_back({.name = name});
  }
  for (Settings original : all) {
    const std::string text = config_text(original.options());
    const Settings again = parse(text);
    EXPECT_EQ(again, original) << text;
    for (const Option& option : original.options()) {
      const auto dot = option.name.find('.');  // npos + 1 is 0
      EXPECT_THAT(text, testing::ContainsRegex(fmt::format("(^|\n){} =", option.name.substr(dot + 1))));
    }
  }
}

TEST(Nearest, IsTheClosestNameIfAny) {
  const Words names{"modes", "seed", "kernel.type", "kernel.depth"};
  EXPECT_EQ(nearest("mode", names), "modes");
  EXPECT_EQ(nearest("kernel.dept", names), "kernel.depth");
  EXPECT_EQ(nearest("seed", names), "seed");
  EXPECT_EQ(nearest("banana", names), std::nullopt);
  EXPECT_EQ(nearest("x", {}), std::nullopt);
}

}  // namespace
}  // namespace stepwise
