#include "command.hpp"

#include <memory>

#include "embed.hpp"
#include "kernel.hpp"
#include "solve.hpp"

namespace stepwise {
namespace {

constexpr const char* solve_usage =
    "stepwise solve: modes of the contrastive kernel over positive pairs, timescales, embeddings\n"
    "\n"
    "  mpirun -n 2 stepwise solve --modes 10 --output out.h5\n"
    "  mpirun -n 2 stepwise solve --data.source cifar10 --data.path cifar-10-batches-bin \\\n"
    "      --data.pairs 500 --kernel.type ntk --kernel.depth 3 --output out.h5\n"
    "  stepwise solve --config run.ini\n"
    "  stepwise solve --config run.ini --modes 20 --print-config > twenty.ini\n";

constexpr const char* kernel_usage =
    "stepwise kernel: the kernel matrix of positive pairs in one HDF5 file, for\n"
    "solve --kernel.type precomputed\n"
    "\n"
    "  mpirun -n 2 stepwise kernel --data.pairs 1000 --kernel.type ntk --output kernel.h5\n"
    "  stepwise solve --kernel.type precomputed --kernel.path kernel.h5 --output out.h5\n"
    "\n"
    "Tiles are kept in OUTPUT.tiles until all are there: the same command again goes on after an\n"
    "interruption.\n";

constexpr const char* embed_usage =
    "stepwise embed: embeddings of new samples with the kernel and the modes of a result file\n"
    "\n"
    "  mpirun -n 2 stepwise embed --model out.h5 --data.path new.h5 --output emb.h5\n"
    "  stepwise embed --model out.h5 --data.source cifar10 --data.path cifar-10-batches-bin \\\n"
    "      --data.part train --data.first 500 --data.count 2000 --output emb.h5\n"
    "  stepwise embed --model out.h5 --data.source training --time 0.05 --output early.h5\n"
    "\n"
    "The training data must still be where they were, or where --training-path says.\n";

struct SolveSettings {
  SolveConfig solve;
  RunConfig run;
};

struct KernelSettings {
  KernelConfig kernel;
  RunConfig run;
};

struct EmbedSettings {
  EmbedConfig embed;
  RunConfig run;
};

Command solve_command() {
  const auto settings = std::make_shared<SolveSettings>();
  return {"solve",
          "eigenmodes of the contrastive kernel, timescales, embeddings",
          solve_usage,
          [settings] { return with_run_options(solve_options(settings->solve), settings->run); },
          [settings] { check_consistency(settings->solve); },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string& command_line, Report& report) {
            solve(comm, settings->solve, settings->run, command_line, report);
          }};
}

Command kernel_command() {
  const auto settings = std::make_shared<KernelSettings>();
  return {"kernel",
          "the kernel matrix itself, in a file; goes on where it was killed",
          kernel_usage,
          [settings] { return with_run_options(kernel_command_options(settings->kernel), settings->run); },
          [settings] { check_consistency(settings->kernel); },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string& command_line, Report& report) {
            compute_kernel(comm, settings->kernel, settings->run, command_line, report);
          }};
}

Command embed_command() {
  const auto settings = std::make_shared<EmbedSettings>();
  return {"embed",
          "embeddings of new samples with the modes of a result file",
          embed_usage,
          [settings] { return with_run_options(embed_options(settings->embed), settings->run); },
          [settings] { check_consistency(settings->embed); },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string& command_line, Report& report) {
            embed_samples(comm, settings->embed, settings->run, command_line, report);
          }};
}

}  // namespace

std::vector<Command> all_commands() {
  return {solve_command(), kernel_command(), embed_command()};
}

SectionTitles section_titles() {
  return {{"", "General"},
          {"output", "how the file is laid out, and what else is kept in it"},
          {"data", "what is read: positive pairs and test samples"},
          {"views", "how views are made of an image"},
          {"kernel", "which kernel, of which network"},
          {"kernel-b", "the kernel of view_b, with --data.multimodal"},
          {"solver", "how the modes are computed"},
          {"dynamics", "training in time: when each mode is learned"}};
}

}  // namespace stepwise
