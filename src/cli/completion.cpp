#include "stepwise/cli/completion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

namespace stepwise {
namespace {

bool names_files(const Option& option) {
  return option.metavar == "FILE" || option.metavar == "PATH";
}
bool names_directories(const Option& option) {
  return option.metavar == "DIR";
}

std::vector<Option> all_options(const CommandText& command) {
  std::vector<Option> options = command.options;
  for (Option& option : standing_options()) options.push_back(std::move(option));
  return options;
}

/// What bash does behind an option.
std::string bash_action(const Option& option) {
  if (names_files(option)) return "compopt -o default; return";
  if (names_directories(option)) return "compopt -o dirnames; return";
  if (option.metavar.empty()) {  // the value may be left out
    return option.words.empty() ? "" : fmt::format("[[ $cur == -* ]] || words='{}'", fmt::join(option.words, " "));
  }
  return option.words.empty() ? "return" : fmt::format("words='{}'", fmt::join(option.words, " "));
}

std::string bash_command(const CommandText& command) {
  std::string names;
  std::map<std::string, std::string> by_action;
  for (const Option& option : all_options(command)) {
    names += (names.empty() ? "--" : " --") + option.name;
    std::string& same = by_action[bash_action(option)];
    same += (same.empty() ? "--" : " | --") + option.name;
  }
  std::string text = fmt::format("    {})\n      options='{}'\n      case $prev in\n", command.name, names);
  for (const auto& [action, options] : by_action) {
    if (!action.empty()) text += fmt::format("        {}) {} ;;\n", options, action);
  }
  text += "      esac\n";
  if (std::ranges::any_of(command.options, &Option::positional)) {
    text += "      [[ -n $words || $cur == -* ]] || { compopt -o default; return; }\n";
  }
  return text + "      ;;\n";
}

/// Inside single quotes, where a colon or a bracket would end what _arguments and _describe read.
std::string zsh_quoted(const std::string& text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      if (c == ':' || c == '[' || c == ']' || c == '\\') quoted += '\\';
      quoted += c;
    }
  }
  return quoted;
}

std::string zsh_action(const Option& option) {
  if (names_files(option)) return "_files";
  if (names_directories(option)) return "_files -/";
  return option.words.empty() ? " " : fmt::format("({})", fmt::join(option.words, " "));
}

std::string zsh_argument(const Option& option) {
  const std::string help = zsh_quoted(help_with_default(option));
  if (!option.metavar.empty()) {
    return fmt::format("'--{}=[{}]:{}:{}'", option.name, help, zsh_quoted(option.metavar), zsh_action(option));
  }
  if (option.words.empty()) return fmt::format("'--{}[{}]'", option.name, help);
  return fmt::format("'--{}=-[{}]::value:{}'", option.name, help, zsh_action(option));
}

}  // namespace

std::string bash_completion(const ProgramText& program) {
  std::string names;
  std::string cases;
  for (const CommandText& command : program.commands) {
    names += command.name + " ";
    cases += bash_command(command);
  }
  return fmt::format(
      R"(# Completion of stepwise in bash, written by: stepwise completion bash
_stepwise() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} words='' options=''
  COMPREPLY=()
  # --name=value comes as three words.
  if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' ]]; then prev=${{COMP_WORDS[COMP_CWORD-2]}}; fi
  if ((COMP_CWORD == 1)); then
    words='{}completion man --help --version'
  else
    case ${{COMP_WORDS[1]}} in
    completion) words='bash zsh' ;;
{}    esac
  fi
  COMPREPLY=($(compgen -W "${{words:-$options}}" -- "$cur"))
}}
complete -F _stepwise stepwise
)",
      names, cases);
}

std::string zsh_completion(const ProgramText& program) {
  std::string names;
  std::string cases;
  for (const CommandText& command : program.commands) {
    names += fmt::format("    '{}:{}'\n", command.name, zsh_quoted(command.summary));
    cases += fmt::format("    {})\n      _arguments", command.name);
    for (const Option& option : all_options(command)) cases += " \\\n        " + zsh_argument(option);
    for (const Option& option : command.options) {
      if (option.positional) cases += fmt::format(" \\\n        ':{}:{}'", option.name, zsh_action(option));
    }
    cases += "\n      ;;\n";
  }
  return fmt::format(
      R"(#compdef stepwise
# Completion of stepwise in zsh, written by: stepwise completion zsh
_stepwise() {{
  local -a commands=(
{}    'completion:completion of commands and options in bash or zsh'
    'man:the manual page'
  )
  if ((CURRENT == 2)); then
    _describe 'command' commands
    _arguments '--help[the commands]' '--version[version and libraries]'
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
    completion) _values 'shell' bash zsh ;;
{}  esac
}}
if [[ $funcstack[1] == _stepwise ]]; then _stepwise "$@"; else compdef _stepwise stepwise; fi
)",
      names, cases);
}

}  // namespace stepwise
