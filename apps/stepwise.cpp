#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "command.hpp"
#include "session.hpp"
#include "stepwise/cli/completion.hpp"
#include "stepwise/cli/man_page.hpp"
#include "stepwise/cli/provenance.hpp"
#include "stepwise/cli/run_main.hpp"
#include "stepwise/cli/stall_watch.hpp"
#include "stepwise/cli/threads.hpp"
#include "stepwise/cli/time_limit.hpp"

namespace {

using namespace stepwise;

constexpr const char* about = "what infinitely wide networks learn by self-supervision (Simon et al., ICML 2023)";

std::string usage() {
  std::string text = fmt::format("stepwise: {}\n\nUsage:\n", about);
  for (const Command& command : all_commands()) {
    text += fmt::format("  {:<33}{}\n", fmt::format("stepwise {} [settings]", command.name), command.summary);
  }
  return text +
         "  stepwise COMMAND --help          all settings\n"
         "  stepwise completion bash|zsh     a script that makes the shell complete commands, settings and values\n"
         "  stepwise man                     the manual page: stepwise man > stepwise.1; man ./stepwise.1\n"
         "  stepwise --help | --version\n"
         "\n"
         "Over many ranks: mpirun -n 4 stepwise solve ...   or   srun stepwise solve ...\n";
}

bool asks_for_text(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "--help" || word == "-h" || word == "--print-config" || word == "--version") return true;
  }
  return words.empty() || words.front() == "completion" || words.front() == "man";
}

/// `stepwise completion SHELL` and `stepwise man`.
std::string text_about_commands(const std::vector<std::string>& words) {
  const std::vector<Command> commands = all_commands();  // the options refer to their settings
  ProgramText program{about, {}, section_titles()};
  for (const Command& c : commands) program.commands.push_back({c.name, c.summary, c.usage, c.options()});
  const std::string version = version_line();
  if (words == std::vector<std::string>{"man"}) return man_page(program, version.substr(0, version.find(" (")));
  if (words == std::vector<std::string>{"completion", "bash"}) return bash_completion(program);
  if (words == std::vector<std::string>{"completion", "zsh"}) return zsh_completion(program);
  fail(ExitCode::input, "write stepwise completion bash, stepwise completion zsh or stepwise man, nothing else");
}

/// What can be answered without MPI.
int print_text(const std::vector<std::string>& words) {
  if (words.empty() || words.front() == "--help" || words.front() == "-h") {
    fmt::print("{}", usage());
    return static_cast<int>(words.empty() ? ExitCode::input : ExitCode::done);
  }
  if (std::find(words.begin(), words.end(), "--version") != words.end()) {
    fmt::print("{}\n", version_line());
    for (const auto& [name, value] : build_attributes()) {
      if (name.starts_with("library_")) fmt::print("  {:<10} {}\n", name.substr(8), std::get<std::string>(value));
    }
    return 0;
  }
  if (words.front() == "completion" || words.front() == "man") {
    fmt::print("{}", text_about_commands(words));
    return 0;
  }
  const Command command = find_command(words.front());
  const Request request = parse_settings(command, words);
  fmt::print("{}", request == Request::help ? help_text(command.usage, command.options(), section_titles())
                                            : config_text(command.options()));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (asks_for_text(words)) {
    try {
      return print_text(words);
    } catch (const Error& error) {
      fmt::print(stderr, "stepwise: error: {}\n", error.what());
      return static_cast<int>(error.code());
    }
  }
  hold_signals();
  Session session(words);
  return run_main(
      argc, argv,
      [&](const Communicator& comm) {
        const Command& command = session.parse(comm, words);
        choose_threads(comm);
        const StallWatch watch(comm, command.run_config->stall_limit);
        command.run(comm, session.command_line(), session.begin(comm));
      },
      [&](const Communicator& comm, const Ending& ending) { return session.end(comm, ending); });
}
