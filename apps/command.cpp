#include "command.hpp"

#include <algorithm>
#include <iterator>
#include <memory>

#include "align.hpp"
#include "embed.hpp"
#include "info.hpp"
#include "kernel.hpp"
#include "plan.hpp"
#include "probe.hpp"
#include "simulate.hpp"
#include "solve.hpp"
#include "verify.hpp"

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

constexpr const char* simulate_usage =
    "stepwise simulate: trains a model for real, and lays the theory over what is measured\n"
    "\n"
    "  mpirun -n 2 stepwise simulate --preset linear --output linear.h5\n"
    "  mpirun -n 2 stepwise simulate --preset linear --data.path cifar-10-batches-bin --output cifar.h5\n"
    "  mpirun -n 2 stepwise simulate --kernel.type ntk --data.pairs 500 --modes 5 --output ntk.h5\n"
    "  stepwise simulate --preset losses --output losses.h5\n"
    "\n"
    "While it runs OUTPUT.partial can be read: h5py.File(name, libver=\"latest\", swmr=True).\n";

constexpr const char* probe_usage =
    "stepwise probe: how well labels can be read off the embeddings of a result file, as a function of\n"
    "the number of modes and of training time: ridge regression, nearest neighbours, the kernel itself\n"
    "\n"
    "  stepwise solve --data.source cifar10 --data.path cifar-10-batches-bin --data.pairs 500 \\\n"
    "      --data.test 2000 --output out.h5\n"
    "  mpirun -n 2 stepwise probe --model out.h5 --output probe.h5\n";

constexpr const char* align_usage =
    "stepwise align: how much two subspaces of the samples have in common: those of modes, of a trained\n"
    "network's outputs, of a kernel's leading eigenvectors\n"
    "\n"
    "  stepwise align out.h5 resnet.h5:/embeddings\n"
    "  stepwise align out.h5 resnet.npy --second-order principal --kernel ntk.h5 --output aligned.h5\n"
    "\n"
    "The alignment of subspaces with projections P1, P2 is ||P1 P2||_F^2 / d: 1 for the same, about d / N\n"
    "for random ones. Samples are in the order of /embeddings/train: all first views, then all second\n"
    "ones.\n";

constexpr const char* verify_usage =
    "stepwise verify: whether a result is what it says: schema, checksums, and everything that follows\n"
    "from something else in it; and against its inputs, where they are still there\n"
    "\n"
    "  stepwise verify out.h5\n"
    "  mpirun -n 2 stepwise verify out.h5 --samples all\n"
    "\n"
    "Says what holds, with numbers. Exit code 1 when something does not.\n";

constexpr const char* info_usage =
    "stepwise info: what the program is made of and would run on; or what is in a file, and how it was\n"
    "made\n"
    "\n"
    "  mpirun -n 4 stepwise info\n"
    "  stepwise info out.h5\n"
    "  stepwise info out.h5 --settings > again.ini\n";

constexpr const char* plan_usage =
    "stepwise plan: memory, time and I/O of every method for the settings of solve, here or elsewhere\n"
    "\n"
    "  stepwise plan --data.pairs 20000 --kernel.depth 3 --modes 50\n"
    "  stepwise plan --data.pairs 500000 --sample-shape 3072 --modes 100 --machine.nodes 16 \\\n"
    "      --machine.cores 128 --machine.memory 512GiB --machine.gflops-per-core 30 \\\n"
    "      --machine.memory-bandwidth 350\n";

struct SolveSettings {
  SolveConfig solve;
  RunConfig run;
  bool dry_run = false;
};

struct PlanSettings {
  SolveConfig solve;
  PlanConfig plan;
  RunConfig run;
};

/// Options behind the general ones of `options`, before those of the first section.
std::vector<Option> with_general(std::vector<Option> options, std::vector<Option> more) {
  const auto end_of_general = std::find_if(options.begin(), options.end(),
                                           [](const Option& o) { return o.name.find('.') != std::string::npos; });
  options.insert(end_of_general, std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  return options;
}

struct KernelSettings {
  KernelConfig kernel;
  RunConfig run;
};

struct SimulateSettings {
  SimulateConfig simulate;
  RunConfig run;
};

struct ProbeSettings {
  ProbeConfig probe;
  RunConfig run;
};

struct AlignSettings {
  AlignConfig align;
  RunConfig run;
};

struct VerifySettings {
  VerifyConfig verify;
  RunConfig run;
};

struct InfoSettings {
  InfoConfig info;
  RunConfig run;
};

struct EmbedSettings {
  EmbedConfig embed;
  RunConfig run;
};

/// @throws Error(input).
void refuse_checkpoints(const RunConfig& run, const char* command) {
  if (run.checkpoint.empty() && run.restart.empty()) return;
  fail(ExitCode::input, "stepwise {} keeps no checkpoints: leave --checkpoint and --restart out", command);
}

Command solve_command() {
  const auto settings = std::make_shared<SolveSettings>();
  return {"solve",
          "eigenmodes of the contrastive kernel, timescales, embeddings",
          solve_usage,
          [settings] {
            return with_general(
                with_run_options(solve_options(settings->solve), settings->run),
                {flag_option("dry-run", "say what the run would need and refuse, and end", settings->dry_run)});
          },
          [settings] { check_consistency(settings->solve); },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string& command_line, Report& report) {
            if (settings->dry_run) return dry_run(comm, settings->solve, settings->run);
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
          [settings] {
            refuse_checkpoints(settings->run, "embed");
            check_consistency(settings->embed);
          },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string& command_line, Report& report) {
            embed_samples(comm, settings->embed, settings->run, command_line, report);
          }};
}

Command simulate_command() {
  const auto settings = std::make_shared<SimulateSettings>();
  return {"simulate",
          "trains models for real: measured and predicted, side by side",
          simulate_usage,
          [settings] { return with_run_options(simulate_options(settings->simulate), settings->run); },
          [settings] { check_consistency(settings->simulate); },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string& command_line, Report& report) {
            simulate(comm, settings->simulate, settings->run, command_line, report);
          }};
}

Command probe_command() {
  const auto settings = std::make_shared<ProbeSettings>();
  return {"probe",
          "accuracy of probes for labels on the embeddings of a result file",
          probe_usage,
          [settings] { return with_run_options(probe_options(settings->probe), settings->run); },
          [settings] {
            refuse_checkpoints(settings->run, "probe");
            check_consistency(settings->probe);
          },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string& command_line, Report& report) {
            probe_model(comm, settings->probe, settings->run, command_line, report);
          }};
}

Command align_command() {
  const auto settings = std::make_shared<AlignSettings>();
  return {"align",
          "how much two subspaces of the samples have in common",
          align_usage,
          [settings] { return with_run_options(align_options(settings->align), settings->run); },
          [settings] {
            refuse_checkpoints(settings->run, "align");
            check_consistency(settings->align);
          },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string& command_line, Report& report) {
            align_embeddings(comm, settings->align, settings->run, command_line, report);
          }};
}

Command verify_command() {
  const auto settings = std::make_shared<VerifySettings>();
  return {"verify",
          "whether a result is what it says",
          verify_usage,
          [settings] { return with_log_options(verify_options(settings->verify), settings->run); },
          [settings] { check_consistency(settings->verify); },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string&, Report& report) {
            verify_result(comm, settings->verify, report);
          }};
}

Command info_command() {
  const auto settings = std::make_shared<InfoSettings>();
  return {"info",
          "the program and the machine, or what is in a file",
          info_usage,
          [settings] { return info_options(settings->info); },
          [] {},
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string&, Report& report) {
            print_info(comm, settings->info, report);
          }};
}

Command plan_command() {
  const auto settings = std::make_shared<PlanSettings>();
  return {"plan",
          "what solve would need: memory, time, the best method",
          plan_usage,
          [settings] { return plan_options(settings->plan, settings->solve); },
          [settings] {
            if (settings->solve.output.empty()) settings->solve.output = "out.h5";
            check_consistency(settings->solve);
          },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string&, Report&) {
            plan(comm, settings->solve, settings->plan);
          }};
}

}  // namespace

std::vector<Command> all_commands() {
  return {solve_command(), kernel_command(), embed_command(), simulate_command(), probe_command(),
          align_command(), verify_command(), info_command(),  plan_command()};
}

SectionTitles section_titles() {
  return {{"", "General"},
          {"output", "how the file is laid out, and what else is kept in it"},
          {"data", "what is read: positive pairs and test samples"},
          {"views", "how views are made of an image"},
          {"kernel", "which kernel, of which network"},
          {"kernel-b", "the kernel of view_b, with --data.multimodal"},
          {"solver", "how the modes are computed"},
          {"dynamics", "training in time: when each mode is learned"},
          {"probe", "how embeddings are judged"},
          {"training", "how the model is trained, from where and for how long"},
          {"record", "what is recorded of training, and how often"},
          {"system", "the system of --model modes"},
          {"machine", "the machine to plan for; auto: this one, measured"}};
}

}  // namespace stepwise
