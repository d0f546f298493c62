#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "command.hpp"
#include "stepwise/cli/provenance.hpp"
#include "stepwise/cli/run_main.hpp"
#include "stepwise/cli/threads.hpp"
#include "stepwise/dist/agree.hpp"

namespace {

using namespace stepwise;

std::string usage() {
  std::string text =
      "stepwise: what infinitely wide networks learn by self-supervision (Simon et al., ICML 2023)\n"
      "\n"
      "Usage:\n";
  for (const Command& command : all_commands()) {
    text += fmt::format("  {:<33}{}\n", fmt::format("stepwise {} [settings]", command.name), command.summary);
  }
  return text +
         "  stepwise COMMAND --help          all settings\n"
         "  stepwise --help | --version\n"
         "\n"
         "Over many ranks: mpirun -n 4 stepwise solve ...   or   srun stepwise solve ...\n";
}

/// Words of the command line, quoted where a shell would need it.
std::string command_line(const std::vector<std::string>& words) {
  std::string text = "stepwise";
  for (const std::string& word : words) {
    const bool plain = !word.empty() && word.find_first_of(" \t\n'\"\\$&|;<>()*?[]#~`!{}") == std::string::npos;
    text += plain ? " " + word : fmt::format(" '{}'", word);
  }
  return text;
}

bool asks_for_text(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "--help" || word == "-h" || word == "--print-config" || word == "--version") return true;
  }
  return words.empty();
}

/// The command that `word` names. @throws Error(input) with the nearest one.
Command find_command(const std::string& word) {
  std::vector<std::string> known;
  for (Command& command : all_commands()) {
    if (command.name == word) return command;
    known.push_back(command.name);
  }
  fail(ExitCode::input, "unknown command '{}'; did you mean stepwise {}? stepwise --help lists the commands", word,
       nearest(word, known).value_or("solve"));
}

/// Stores the settings behind the command's name.
Request parse(const Command& command, const std::vector<std::string>& words) {
  auto options = command.options();
  return parse_options({words.begin() + 1, words.end()}, options);
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
  const Command command = find_command(words.front());
  const Request request = parse(command, words);
  fmt::print("{}",
             request == Request::help ? help_text(command.usage, command.options()) : config_text(command.options()));
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
  return run_main(argc, argv, [&](const Communicator& comm) {
    const Command command = attempt(comm, [&] {
      Command wanted = find_command(words.front());
      (void)parse(wanted, words);
      wanted.check();
      return wanted;
    });
    choose_threads(comm);
    command.run(comm, command_line(words));
  });
}
