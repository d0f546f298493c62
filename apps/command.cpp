#include "command.hpp"

#include <memory>

#include "kernel.hpp"
#include "solve.hpp"

namespace stepwise {
namespace {

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

struct SolveSettings {
  SolveConfig solve;
  RunConfig run;
};

struct KernelSettings {
  KernelConfig kernel;
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

}  // namespace

std::vector<Command> all_commands() {
  return {solve_command(), kernel_command()};
}

}  // namespace stepwise
