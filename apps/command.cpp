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
#include "usage.hpp"
#include "verify.hpp"

namespace stepwise {
namespace {

/// Of a command that has nothing more.
template <class Config>
struct Settings {
  Config config;
  RunConfig run;
};

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
  const auto settings = std::make_shared<Settings<KernelConfig>>();
  return {"kernel",
          "the kernel matrix itself, in a file; goes on where it was killed",
          kernel_usage,
          [settings] { return with_run_options(kernel_command_options(settings->config), settings->run); },
          [settings] { check_consistency(settings->config); },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string& command_line, Report& report) {
            compute_kernel(comm, settings->config, settings->run, command_line, report);
          }};
}

Command embed_command() {
  const auto settings = std::make_shared<Settings<EmbedConfig>>();
  return {"embed",
          "embeddings of new samples with the modes of a result file",
          embed_usage,
          [settings] { return with_run_options(embed_options(settings->config), settings->run); },
          [settings] {
            refuse_checkpoints(settings->run, "embed");
            check_consistency(settings->config);
          },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string& command_line, Report& report) {
            embed_samples(comm, settings->config, settings->run, command_line, report);
          }};
}

Command simulate_command() {
  const auto settings = std::make_shared<Settings<SimulateConfig>>();
  return {"simulate",
          "trains models for real: measured and predicted, side by side",
          simulate_usage,
          [settings] { return with_run_options(simulate_options(settings->config), settings->run); },
          [settings] { check_consistency(settings->config); },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string& command_line, Report& report) {
            simulate(comm, settings->config, settings->run, command_line, report);
          }};
}

Command probe_command() {
  const auto settings = std::make_shared<Settings<ProbeConfig>>();
  return {"probe",
          "accuracy of probes for labels on the embeddings of a result file",
          probe_usage,
          [settings] { return with_run_options(probe_options(settings->config), settings->run); },
          [settings] {
            refuse_checkpoints(settings->run, "probe");
            check_consistency(settings->config);
          },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string& command_line, Report& report) {
            probe_model(comm, settings->config, settings->run, command_line, report);
          }};
}

Command align_command() {
  const auto settings = std::make_shared<Settings<AlignConfig>>();
  return {"align",
          "how much two subspaces of the samples have in common",
          align_usage,
          [settings] { return with_run_options(align_options(settings->config), settings->run); },
          [settings] {
            refuse_checkpoints(settings->run, "align");
            check_consistency(settings->config);
          },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string& command_line, Report& report) {
            align_embeddings(comm, settings->config, settings->run, command_line, report);
          }};
}

Command verify_command() {
  const auto settings = std::make_shared<Settings<VerifyConfig>>();
  return {"verify",
          "whether a result is what it says",
          verify_usage,
          [settings] { return with_log_options(verify_options(settings->config), settings->run); },
          [settings] { check_consistency(settings->config); },
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string&, Report& report) {
            verify_result(comm, settings->config, report);
          }};
}

Command info_command() {
  const auto settings = std::make_shared<Settings<InfoConfig>>();
  return {"info",
          "the program and the machine, or what is in a file",
          info_usage,
          [settings] { return info_options(settings->config); },
          [] {},
          std::shared_ptr<const RunConfig>(settings, &settings->run),
          [settings](const Communicator& comm, const std::string&, Report& report) {
            print_info(comm, settings->config, report);
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
          {"study", "networks of many widths, with --model widths"},
          {"system", "the system of --model modes"},
          {"machine", "the machine to plan for; auto: this one, measured"}};
}

}  // namespace stepwise
