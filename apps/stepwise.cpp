#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "kernel.hpp"
#include "solve.hpp"
#include "stepwise/cli/options.hpp"
#include "stepwise/cli/provenance.hpp"
#include "stepwise/cli/run_main.hpp"
#include "stepwise/cli/threads.hpp"
#include "stepwise/dist/agree.hpp"

namespace {

using namespace stepwise;

constexpr const char* usage =
    "stepwise: what infinitely wide networks learn by self-supervision (Simon et al., ICML 2023)\n"
    "\n"
    "Usage:\n"
    "  stepwise solve [settings]        eigenmodes of the contrastive kernel, timescales, embeddings\n"
    "  stepwise kernel [settings]       the kernel matrix itself, in a file; goes on where it was killed\n"
    "  stepwise solve|kernel --help     all settings\n"
    "  stepwise --help | --version\n"
    "\n"
    "Over many ranks: mpirun -n 4 stepwise solve ...   or   srun stepwise solve ...\n";

constexpr const char* solve_usage =
    "stepwise solve: eigenmodes of the contrastive kernel over positive pairs, learning timescales, embeddings\n"
    "\n"
    "  mpirun -n 2 stepwise solve --modes 10 --output out.h5\n"
    "  mpirun -n 2 stepwise solve --data.source cifar10 --data.path cifar-10-batches-bin --data.pairs 500 \\\n"
    "      --kernel.type ntk --kernel.depth 3 --output out.h5\n"
    "  stepwise solve --config run.ini\n";

constexpr const char* kernel_usage =
    "stepwise kernel: the kernel matrix of positive pairs in one HDF5 file, for solve --kernel.type precomputed\n"
    "\n"
    "  mpirun -n 2 stepwise kernel --data.pairs 1000 --kernel.type ntk --output kernel.h5\n"
    "  stepwise solve --kernel.type precomputed --kernel.path kernel.h5 --output out.h5\n"
    "\n"
    "Tiles are kept in OUTPUT.tiles until all are there: the same command again goes on after an interruption.\n";

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

/// The settings of one of the commands.
struct Commands {
  std::string name;
  SolveConfig solve;
  KernelConfig kernel;

  [[nodiscard]] std::vector<Option> options() {
    return name == "kernel" ? kernel_command_options(kernel) : solve_options(solve);
  }
};

Request parse(const std::vector<std::string>& words, Commands& commands) {
  const std::vector<std::string> known{"solve", "kernel"};
  commands.name = words.empty() ? "" : words.front();
  if (std::find(known.begin(), known.end(), commands.name) == known.end()) {
    fail(ExitCode::input, "unknown command '{}'; did you mean stepwise {}? stepwise --help lists the commands",
         commands.name, nearest(commands.name, known).value_or("solve"));
  }
  auto options = commands.options();
  return parse_options({words.begin() + 1, words.end()}, options);
}

/// What can be answered without MPI.
int print_text(const std::vector<std::string>& words) {
  if (words.empty() || words.front() == "--help" || words.front() == "-h") {
    fmt::print("{}", usage);
    return static_cast<int>(words.empty() ? ExitCode::input : ExitCode::done);
  }
  if (std::find(words.begin(), words.end(), "--version") != words.end()) {
    fmt::print("{}\n", version_line());
    for (const auto& [name, value] : build_attributes()) {
      if (name.starts_with("library_")) fmt::print("  {:<10} {}\n", name.substr(8), std::get<std::string>(value));
    }
    return 0;
  }
  Commands commands;
  const Request request = parse(words, commands);
  fmt::print("{}", request == Request::help
                       ? help_text(commands.name == "kernel" ? kernel_usage : solve_usage, commands.options())
                       : config_text(commands.options()));
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
    Commands commands;
    attempt(comm, [&] {
      (void)parse(words, commands);
      commands.name == "kernel" ? check_consistency(commands.kernel) : check_consistency(commands.solve);
    });
    choose_threads(comm);
    if (commands.name == "kernel") {
      compute_kernel(comm, std::move(commands.kernel), command_line(words));
    } else {
      solve(comm, std::move(commands.solve), command_line(words));
    }
  });
}
