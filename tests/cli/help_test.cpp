#include "stepwise/cli/help.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "stepwise/cli/completion.hpp"
#include "stepwise/cli/man_page.hpp"

namespace stepwise {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A program of two commands with settings of every kind.
struct Program {
  std::string output;
  std::string folder = "here";
  std::int64_t count = 42;
  bool quick = false;
  std::optional<std::int64_t> parts{};
  std::optional<bool> flip{};
  std::string type = "rbf";

  [[nodiscard]] std::vector<Option> options() {
    return {
        text_option("output", "FILE", "what is written: [all], even 'quoted'", output),
        text_option("folder", "DIR", "where", folder),
        integer_option("count", "N", ".how many -- \\ten^2 ~ `more` '", count, 1, 100),
        flag_option("run.quick", "whether to hurry", quick),
        auto_option("run.parts", "N",
                    "an explanation that goes on for so long that it does not fit into a single line of the text, and "
                    "not into the next one",
                    parts, 0, 9),
        auto_flag_option("kernel.flip", "whether to mirror", flip),
        choice_option("kernel.type", "which", type, {"linear", "rbf", "laplace"}),
    };
  }
  [[nodiscard]] ProgramText text() {
    const std::string usage = "demo first: what it does\n\n  demo first --count 3 \\\n      --run.quick\n\nAnd more.\n";
    return {"what it is about",
            {{"first", "the first one", usage, options()}, {"other", "the other one", "demo other\n", options()}},
            {{"run", "how it runs"}}};
  }
};

TEST(Help, ListsEveryOptionWithItsDefault) {
  Program p;
  const auto options = p.options();
  const std::string text = help_text("usage line\n", options, {{"run", "how it runs"}});
  EXPECT_THAT(text, testing::StartsWith("usage line\n\nGeneral:\n"));
  for (const Option& option : options) EXPECT_THAT(text, HasSubstr("  --" + option.name + " "));
  for (const char* words :
       {"\n[run] how it runs\n", "\n[kernel]\n", "--config FILE", "--print-config  ", "--help  ", "linear|rbf|laplace",
        "how many -- \\ten^2 ~ `more` ' (default 42)", "--kernel.flip [true|false]", "(default auto)"}) {
    EXPECT_THAT(text, HasSubstr(words));
  }
  EXPECT_THAT(text, Not(HasSubstr("(default )")));
}

TEST(Help, FitsAHundredColumns) {
  Program p;
  std::istringstream lines(help_text("", p.options()));
  std::string joined;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 100U) << line;
    EXPECT_FALSE(line.ends_with(' ')) << line;
    joined += ' ';
    joined += line.substr(std::min(line.size(), line.find_first_not_of(' ')));
  }
  EXPECT_THAT(joined, HasSubstr("the text, and not into the next one (default auto)"));
}

TEST(Completion, OffersCommandsOptionsAndValues) {
  Program p;
  const std::string bash = bash_completion(p.text());
  for (const char* words : {"words='first other completion man", "--output | --config) compopt -o default; return",
                            "words='linear rbf laplace'", "--folder) compopt -o dirnames; return", "--count) return",
                            "words='true false auto'", "words='auto'"}) {
    EXPECT_THAT(bash, HasSubstr(words));
  }
  const std::string zsh = zsh_completion(p.text());
  for (const char* words :
       {"#compdef stepwise\n", "'first:the first one'",
        R"('--output=[what is written\: \[all\], even '\''quoted'\'']:FILE:_files')", ":DIR:_files -/'",
        "'--kernel.type=[which (default rbf)]:linear|rbf|laplace:(linear rbf laplace)'",
        "'--print-config[write all settings as such a file and stop]'"}) {
    EXPECT_THAT(zsh, HasSubstr(words));
  }
}

TEST(ManPage, SaysWhatHelpSays) {
  Program p;
  const std::string page = man_page(p.text(), "demo 1.2");
  for (const char* words :
       {".TH STEPWISE 1 \"\" \"demo 1.2\"", ".SH NAME\nstepwise \\- what it is about\n",
        ".TP\n\\fBfirst\\fR\nthe first one\n", ".SH \"STEPWISE FIRST\"\n", ".SS \"General\"\n",
        ".SS \"[run] how it runs\"\n", ".SS \"[kernel]\"\n",
        ".EX\ndemo first \\-\\-count 3 \\(rs\n    \\-\\-run.quick\n", ".EE\n.RE\n.PP\nAnd more.\n",
        "\n\\&.how many \\-\\- \\(rsten\\(ha2 \\(ti \\(gamore\\(ga \\(aq (default 42)\n", "As of stepwise first.\n"}) {
    EXPECT_THAT(page, HasSubstr(words));
  }
}

}  // namespace
}  // namespace stepwise
