#include "kernel_formula.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "stepwise/cli/options.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '_';
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<FormulaTerm> formula() {
    std::vector<FormulaTerm> terms;
    do {
      terms.push_back(term());
    } while (take('+'));
    if (!ended()) refuse_character("expected +, * or the end");
    const bool any = std::any_of(terms.begin(), terms.end(), [](const auto& term) { return !term.factors.empty(); });
    if (!any) fail(ExitCode::input, "must have a kernel in it: one of {}", fmt::join(kernel_names, ", "));
    return terms;
  }

 private:
  [[nodiscard]] std::size_t position() const { return at_ + 1; }
  [[nodiscard]] bool ended() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    return at_ == text_.size();
  }
  [[nodiscard]] bool next_is(char c) { return !ended() && text_[at_] == c; }
  bool take(char c) {
    if (!next_is(c)) return false;
    ++at_;
    return true;
  }
  [[noreturn]] void refuse_character(const char* wanted) {
    if (text_[at_] == '-') {
      fail(ExitCode::input,
           "has a minus sign at character {}: weights must be >= 0, or the kernel is not positive semidefinite",
           position());
    }
    fail(ExitCode::input, "has '{}' at character {}: {}", text_[at_], position(), wanted);
  }

  FormulaTerm term() {
    FormulaTerm result;
    do {
      factor(result);
    } while (take('*'));
    return result;
  }

  void factor(FormulaTerm& term) {
    if (ended()) fail(ExitCode::input, "ends where a kernel or a number should follow, at character {}", position());
    const char c = text_[at_];
    if (is_digit(c) || c == '.') {
      term.weight *= number();
    } else if (is_word(c) && c != '-') {
      term.factors.push_back(named());
    } else {
      refuse_character("expected a kernel or a number; sums are not grouped by parentheses");
    }
  }

  double number() {
    const std::size_t start = position();
    double value = 0;
    const char* end = text_.data() + text_.size();
    const auto [stop, error] = std::from_chars(text_.data() + at_, end, value);
    if (error != std::errc() || !std::isfinite(value)) {
      fail(ExitCode::input, "has something at character {} that is not a number", start);
    }
    at_ = static_cast<std::size_t>(stop - text_.data());
    return value;
  }

  std::string word() {
    const std::size_t first = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return std::string(text_.substr(first, at_ - first));
  }

  NamedKernel named() {
    const std::size_t start = position();
    NamedKernel kernel{word(), {}};
    const std::vector<std::string> known(kernel_names.begin(), kernel_names.end());
    if (std::find(known.begin(), known.end(), kernel.name) == known.end()) {
      const auto meant = nearest(kernel.name, known);
      fail(ExitCode::input, "has '{}' at character {}: a kernel must be one of {}{}", kernel.name, start,
           fmt::join(known, ", "), meant ? fmt::format("; did you mean {}?", *meant) : "");
    }
    if (!take('(')) return kernel;
    do {
      KernelSetting found = setting();
      for (const KernelSetting& other : kernel.settings) {
        if (other.name == found.name) {
          fail(ExitCode::input, "gives {} a second time at character {}", found.name, found.position);
        }
      }
      kernel.settings.push_back(std::move(found));
    } while (take(','));
    if (!take(')')) fail(ExitCode::input, "has no ) for the settings of {} at character {}", kernel.name, start);
    return kernel;
  }

  KernelSetting setting() {
    (void)ended();
    KernelSetting found{"", "", position()};
    found.name = word();
    if (found.name.empty() || !take('=')) {
      fail(ExitCode::input, "has no name=value at character {}, where a setting should be", found.position);
    }
    const std::size_t first = at_;
    for (int depth = 0; at_ < text_.size(); ++at_) {  // values may have parentheses of their own
      const char c = text_[at_];
      if (depth == 0 && (c == ',' || c == ')')) break;
      depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    }
    found.value = trimmed(text_.substr(first, at_ - first));
    if (found.value.empty()) fail(ExitCode::input, "gives {} no value at character {}", found.name, found.position);
    return found;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<FormulaTerm> parse_formula(std::string_view text) {
  return Parser(text).formula();
}

}  // namespace stepwise
