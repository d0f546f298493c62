#include "solve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "checkpoint.hpp"
#include "complete.hpp"
#include "find_modes.hpp"
#include "open_data.hpp"
#include "plan.hpp"
#include "precomputed.hpp"
#include "problem.hpp"
#include "size_limits.hpp"
#include "solve_output.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/cli/time_limit.hpp"
#include "stepwise/core/memory.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/io/result_file.hpp"
#include "stepwise/theory/embedding.hpp"
#include "stepwise/theory/timescales.hpp"

namespace stepwise {
namespace {

std::vector<std::pair<std::string, BlockVector>> embed_tests(const Problem& problem, const Embedding& embedding,
                                                             Report& report) {
  const std::int64_t count = test_count(problem.pairs);
  if (count == 0) return {};
  const double flops = 2.0 * static_cast<double>(problem.samples * problem.features) * static_cast<double>(count);
  return report.stage("test embeddings", flops, [&](const auto&) {
    std::vector<std::pair<std::string, BlockVector>> results;
    const Samples own = load_share(problem);
    for (const auto& [name, range, modality] : test_groups(problem.pairs)) {
      const std::size_t kind = problem.centring && problem.centring->kinds > 1 ? modality : 0;
      const auto read = [&, first = range.begin](Range batch) {
        return load_tests(problem, {first + batch.begin, first + batch.end});
      };
      results.emplace_back(name, embed(problem.kernel, embedding, own, problem.comm, range.size(), read, 1, kind));
    }
    return results;
  });
}

/// When each mode is learned, and what is seen meanwhile.
void predict_training(const SolveConfig& config, SolveResult& result) {
  const std::vector<double>& gamma = result.embedding.gamma;
  result.s0 = small_random_initialisation(config.dynamics.alpha, *config.modes);
  for (std::size_t j = 0; j < gamma.size(); ++j) {
    result.tau.push_back(timescale(gamma[j], result.s0[j]));
    result.half_rise.push_back(half_rise(gamma[j], result.s0[j]));
  }
  result.trajectory =
      trajectory(gamma, result.s0, time_grid(gamma, result.s0, config.dynamics.points, config.dynamics.t_max));
  if (!std::isfinite(result.trajectory.loss.front())) {
    throw CollectiveError(
        ExitCode::input,
        fmt::format("--dynamics.alpha is {}: with gamma_1 = {:.3g} training starts at lambda_1 = {:.3g}, whose loss "
                    "overflows; small initial weights have lambda_1 far below 1",
                    config.dynamics.alpha, gamma.front(), result.trajectory.lambda.front()));
  }
}

/// Everything about the modes that are found.
void describe_modes(const Problem& problem, SolveResult& result, Report& report) {
  result.embedding = training_embedding(result.modes, problem.comm);
  result.whiteness_error = whiteness_error(result.embedding, problem.comm);
  result.tests = embed_tests(problem, result.embedding, report);
  predict_training(problem.config, result);
}

SolveResult compute(const Problem& problem, const std::string& method, Report& report, Checkpoint& checkpoint) {
  SolveResult result;
  if (auto found = checkpoint.modes(problem.grid, problem.layout.rows.block)) {
    result.method = found->method;
    result.modes = std::move(found->modes);
  } else {
    result.method = method;
    result.modes = find_modes(problem, result.method, report, &checkpoint);
  }
  try {
    checkpoint.keep_if_due(result.method, result.modes);
    if (problem.config.solver.check) result.second = second_opinion(problem, result.method, result.modes, report);
    if (problem.config.modes) describe_modes(problem, result, report);
  } catch (const CollectiveError& error) {
    if (error.code() == ExitCode::stopped) checkpoint.keep(result.method, result.modes);
    throw;
  }
  return result;
}

/// For the header of the log.
Work work_of(const Problem& problem, const std::string& method) {
  const SolveConfig& config = problem.config;
  Work work{fmt::format("{}, {} samples of {} numbers, {} modes, seed {}", method, problem.samples, problem.features,
                        config.modes ? fmt::format("{}", *config.modes) : "all", config.seed),
            problem.convention};
  work.direct = method != "krylov" || config.solver.check;
  if (work.direct) work.grid = problem.grid->shape();
  work.block = problem.layout.rows.block;
  return work;
}

/// For the summary.
void record(const SolveConfig& config, const SolveResult& result, Report& report) {
  report.result("output", config.output);
  report.result("method", result.method);
  if (result.embedding.gamma.empty()) return;
  const std::vector<double>& residuals = result.modes.residuals;
  report.result("modes", static_cast<std::int64_t>(residuals.size()));
  report.result("residual_max", *std::max_element(residuals.begin(), residuals.end()));
  report.result("whiteness_error", result.whiteness_error);
}

}  // namespace

void check_problem(const Problem& problem, const std::string& method) {
  const SolveConfig& config = problem.config;
  attempt(problem.comm, [&] { check_saving(config, method); });
  const auto check = [&](const std::string& chosen, const std::string& purpose) {
    check_sizes(config, chosen, problem.samples, problem.features, problem.grid->shape(), purpose);
    check_memory(problem.comm, config, chosen, problem.layout, problem.features, purpose);
  };
  check(method, "");
  if (config.solver.check) check(second_method(config, method), "--solver.check also solves by ");
}

void solve(const Communicator& comm, SolveConfig config, const RunConfig& run, const std::string& command,
           Report& report) {
  TimeLimit limit(comm, comm.rank() == 0 ? wall_time(run) : std::nullopt);
  const auto check = [&] {
    check_output(comm, config.output, config.force, {config.data.path, config.kernel.path, config.kernel.test_path});
  };
  if (run.restart.empty()) check();
  PairSource pairs =
      report.stage("open data", 0, [&](const auto&) { return attempt(comm, [&] { return open_pairs(config); }); });
  Problem problem = pose(comm, config, pairs);
  const std::string method = choose_method(config, problem.samples, problem.features);
  check_problem(problem, method);
  const std::string checksum = report.stage("checksum", 0, [&](const auto&) { return inputs_checksum(comm, pairs); });
  const bool complete = !run.restart.empty() && is_complete(comm, config, checksum);
  if (!run.restart.empty() && !complete) check();
  if (!complete) check_room(comm, config.output, saved_bytes(config, problem.samples));
  Checkpoint checkpoint(comm, run, config.output, problem_settings(config, method, problem.convention, checksum), limit,
                        report);
  if (complete) {
    report.note(fmt::format("{} is there already, with these settings: nothing to do", config.output));
    checkpoint.remove();
    return;
  }
  report.start(work_of(problem, method));
  if (const std::string note = attempt(comm, [&] { return note_on_parts(config); }); !note.empty()) report.note(note);
  const Estimate expected = estimate_run(problem, method);
  report.log().write(
      {LogLevel::info,
       "estimate",
       fmt::format("  estimated  {}, {} per rank", time_text(expected.seconds()), format_bytes(expected.peak())),
       {},
       {{"seconds", expected.seconds()}, {"bytes_per_rank", expected.peak()}}});
  make_ready(comm, config, pairs, problem, report);
  const SolveResult result = [&] {
    try {
      return compute(problem, method, report, checkpoint);
    } catch (const CollectiveError& error) {
      if (error.code() != ExitCode::stopped) throw;
      throw CollectiveError(ExitCode::stopped, checkpoint.farewell(command));
    }
  }();
  config.solver.method = result.method;
  const auto write = [&](const auto&) {
    return write_result({comm, config, command, pairs, problem.convention, checksum, *problem.grid,
                         problem.layout.rows.block, report, file_layout(run)},
                        result);
  };
  const std::int64_t size = [&] {
    try {
      return report.stage("write", 0, write);
    } catch (const CollectiveError& error) {
      if (!checkpoint.named() || !checkpoint.try_to_keep(result.method, result.modes)) throw;
      throw CollectiveError(error.code(),
                            fmt::format("{}. The modes are kept; {}", error.what(), checkpoint.advice(command)));
    }
  }();
  checkpoint.remove();
  report.moved(static_cast<double>(size));
  record(config, result, report);
  const std::string timing = report.timing_table();
  if (comm.rank() == 0) {
    fmt::print("{}\n{}\n{} written, {}\n", summary(result), timing, config.output,
               format_bytes(static_cast<double>(size)));
  }
}

}  // namespace stepwise
