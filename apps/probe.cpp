#include "probe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "find_modes.hpp"
#include "probe_output.hpp"
#include "problem.hpp"
#include "stepwise/cli/time_limit.hpp"
#include "stepwise/core/memory.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/io/input_file.hpp"
#include "stepwise/io/result_file.hpp"
#include "stepwise/theory/timescales.hpp"
#include "stored_model.hpp"

namespace stepwise {
namespace {

/// Most training samples for which the baseline is computed unasked.
constexpr std::int64_t most_for_kernel_ridge = 4000;

/// What is read from the model's file.
struct Judged {
  LabelledSamples train;
  LabelledSamples test;
  std::vector<std::int64_t> labels;  ///< distinct ones
  std::int64_t views = 2;
};

void check_contents(const Communicator& comm, InputFile& file, const StoredModel& model) {
  const bool has_labels = file.contains("/data/labels");
  const bool has_tests = file.contains("/embeddings/test");
  const bool has_test_labels = file.contains("/data/test_labels");
  attempt(comm, [&] {
    if (model.config.data.multimodal) {
      fail(ExitCode::input, "--model {}: is of two modalities (--data.multimodal), whose test samples have no labels",
           model.path);
    }
    if (!has_labels) {
      fail(
          ExitCode::input,
          "--model {}: has no labels (/data/labels) to probe for: solve with labelled images, or with a dataset labels "
          "in the HDF5 file of --data.path",
          model.path);
    }
    if (!has_tests) {
      fail(ExitCode::input, "--model {}: has no test samples (/embeddings/test): solve with --data.test", model.path);
    }
    if (!has_test_labels) {
      fail(
          ExitCode::input,
          "--model {}: its test samples have no labels (/data/test_labels): add a dataset test_labels to the HDF5 file "
          "of --data.path, and solve again",
          model.path);
    }
  });
}

BlockVector read_tests(const Communicator& comm, InputFile& file, std::int64_t width) {
  const std::vector<std::int64_t> shape = file.extents("/embeddings/test");
  BlockVector tests = attempt(comm, [&] { return make_block_vector(comm, shape.front(), width, 1); });
  file.read_rows("/embeddings/test", tests.range, tests.local());
  return tests;
}

Judged read_embeddings(const Communicator& comm, InputFile& file, const StoredModel& model) {
  check_contents(comm, file, model);
  Judged judged;
  judged.train.features = file.read_views("/embeddings/train");
  judged.test.features = read_tests(comm, file, judged.train.features.width);
  const std::vector<std::int64_t> labels = file.integers("/data/labels");
  const std::vector<std::int64_t> test_labels = file.integers("/data/test_labels");
  judged.views = file.extents("/embeddings/train").front();
  attempt(comm, [&] {
    const BlockVector& train = judged.train.features;
    const std::int64_t pairs = train.samples / judged.views;
    if (std::ssize(labels) != pairs || std::ssize(test_labels) != judged.test.features.samples ||
        train.width != model.modes || train.samples != model.samples) {
      fail(ExitCode::input,
           "--model {}: {} labels of {} pairs and {} of {} test samples, {} modes in /embeddings/train and {} in "
           "/modes/dual do not go together: was the file edited?",
           model.path, labels.size(), pairs, test_labels.size(), judged.test.features.samples, train.width,
           model.modes);
    }
    judged.labels = distinct_labels(labels);
    if (judged.labels.size() < 2) {
      fail(ExitCode::input, "--model {}: all {} pairs have the label {}: a probe needs two classes or more", model.path,
           pairs, judged.labels.front());
    }
    const std::vector<std::int64_t> classes = class_numbers(labels, judged.labels);
    for (std::int64_t i = train.range.begin; i < train.range.end; ++i) {
      judged.train.classes.push_back(classes[static_cast<std::size_t>(i / judged.views)]);
    }
    const std::vector<std::int64_t> others = class_numbers(test_labels, judged.labels);
    const Range own = judged.test.features.range;
    judged.test.classes.assign(others.begin() + own.begin, others.begin() + own.end);
  });
  return judged;
}

void check_settings(const ProbeConfig& config, const Judged& judged) {
  const std::int64_t samples = judged.train.features.samples;
  const std::int64_t pairs = samples / judged.views;
  if (config.probe.folds > pairs) {
    fail(ExitCode::input, "--probe.folds is {}, but the model has {} pairs: choose at most so many", config.probe.folds,
         pairs);
  }
  if (config.probe.neighbours > samples) {
    fail(ExitCode::input, "--probe.neighbours is {}, but the model has {} training samples: choose at most so many",
         config.probe.neighbours, samples);
  }
}

void judge(const ProbeSamples& samples, const FoldMoments& moments, std::span<const double> scales,
           std::span<const double> penalties, ProbeSeries& series) {
  series.ridge.push_back(ridge_probe(samples, moments, scales, penalties));
  attempt(samples.comm, [&] {
    series.rankme.push_back(rankme(moments.all, scales));
    series.effective_dimension.push_back(effective_dimension(moments.all, scales));
  });
  stop_together(samples.comm);
}

ProbeSeries judge_by_modes(const ProbeSamples& samples, const FoldMoments& moments, const ProbeConfig& config,
                           Report& report) {
  const std::int64_t d = moments.all.features();
  const std::vector<double> ones(static_cast<std::size_t>(d), 1.0);
  const std::vector<double> penalties = relative_penalties(config);
  ProbeSeries series;
  report.stage("probes by modes", 0, [&](const auto& progress) {
    for (std::int64_t k = 1; k <= d; ++k) {
      judge(samples, moments, std::span(ones).first(static_cast<std::size_t>(k)), penalties, series);
      progress(static_cast<double>(k) / static_cast<double>(d));
    }
  });
  series.neighbours = report.stage("neighbours by modes", 0, [&](const auto&) {
    std::vector<std::int64_t> leading(static_cast<std::size_t>(d));
    std::iota(leading.begin(), leading.end(), std::int64_t{1});
    return neighbour_accuracy(samples, config.probe.neighbours, ones, leading);
  });
  return series;
}

/// f_j(x, t) / f_j(x) = s_j(t) / s_j(end).
std::vector<double> scales_at(std::span<const double> gamma, std::span<const double> s0, double time) {
  std::vector<double> scales;
  for (std::size_t j = 0; j < s0.size(); ++j) {
    scales.push_back(singular_value(gamma[j], s0[j], time) * std::sqrt(gamma[j]));
  }
  return scales;
}

void judge_by_time(const ProbeSamples& samples, const FoldMoments& moments, const ProbeConfig& config, InputFile& file,
                   Report& report, ProbeResult& result) {
  const auto d = static_cast<std::size_t>(moments.all.features());
  const std::vector<double> all_gammas = file.numbers("/spectrum/gamma");
  const std::vector<double> s0 = file.numbers("/timescales/s0");
  attempt(samples.comm, [&] {
    if (all_gammas.size() < d || s0.size() != d) {
      fail(ExitCode::input, "--model {}: has gamma of {} and s0 of {} modes, but {} modes", config.model,
           all_gammas.size(), s0.size(), d);
    }
    result.times = time_grid(std::span(all_gammas).first(d), s0, config.probe.times, 0);
  });
  const std::vector<std::int64_t> all{static_cast<std::int64_t>(d)};
  report.stage("probes by time", 0, [&](const auto& progress) {
    for (std::size_t i = 0; i < result.times.size(); ++i) {
      const std::vector<double> scales = scales_at(all_gammas, s0, result.times[i]);
      judge(samples, moments, scales, result.penalties, result.by_time);
      const NeighbourAccuracy found = neighbour_accuracy(samples, config.probe.neighbours, scales, all);
      result.by_time.neighbours.euclidean.push_back(found.euclidean.front());
      result.by_time.neighbours.cosine.push_back(found.cosine.front());
      progress(static_cast<double>(i + 1) / static_cast<double>(result.times.size()));
    }
  });
}

KernelBaseline judge_kernel(const Problem& problem, const ProbeSamples& samples, const ProbeResult& result,
                            Report& report) {
  check_memory(problem.comm, problem.config, "spectral", problem.layout, problem.features, "--probe.kernel-ridge: ");
  const DistMatrix k = kernel_matrix(problem, report);
  const KernelRidge fit =
      report.stage("kernel ridge", 0, [&](const auto&) { return kernel_ridge(k, samples, result.penalties); });
  const double accuracy = report.stage("kernel ridge on tests", 0, [&](const auto&) {
    const Samples own = load_share(problem);
    const auto read = [&problem](Range range) { return load_tests(problem, range); };
    const BlockVector scores =
        embed(problem.kernel, EmbeddingWeights{fit.dual, {}}, own, problem.comm, result.test_samples, read);
    return accuracy_of_scores(problem.comm, scores, samples.test.classes);
  });
  return {fit.path, accuracy};
}

/// Of the class that is most frequent in training, on the test samples.
double chance_of(const ProbeSamples& samples, const LabelMoments& all) {
  const auto most = std::max_element(all.counts.begin(), all.counts.end()) - all.counts.begin();
  const double right = sum(samples.comm, static_cast<double>(std::ranges::count(samples.test.classes, most)));
  return right / static_cast<double>(samples.test.features.samples);
}

}  // namespace

void probe_model(const Communicator& comm, const ProbeConfig& config, const RunConfig& run, const std::string& command,
                 Report& report) {
  const TimeLimit limit(comm, comm.rank() == 0 ? wall_time(run) : std::nullopt);
  check_output(comm, config.output, config.force, {config.model, config.training_path});
  InputFile file(comm, config.model);
  StoredModel model = read_model(comm, file, config.model);
  const Judged judged =
      report.stage("read embeddings", 0, [&](const auto&) { return read_embeddings(comm, file, model); });
  attempt(comm, [&] { check_settings(config, judged); });
  const ProbeSamples samples{comm,         judged.train,      judged.test, std::ssize(judged.labels),
                             judged.views, config.probe.folds};
  const std::int64_t trained_on = judged.train.features.samples;
  std::optional<PairSource> pairs;
  if (config.probe.kernel_ridge.value_or(trained_on <= most_for_kernel_ridge)) {
    pairs = report.stage("open training data", 0, [&](const auto&) {
      try {
        return open_training_pairs(comm, file, model, config.training_path);
      } catch (const CollectiveError& error) {
        throw CollectiveError(error.code(), fmt::format("{}; --probe.kernel-ridge false does without", error.what()));
      }
    });
  }
  report.start({fmt::format("{} modes of {} training and {} test samples in {} classes", model.modes, trained_on,
                            judged.test.features.samples, judged.labels.size()),
                model.kernel_convention});
  try {
    const FoldMoments moments = report.stage("moments", 0, [&](const auto&) { return fold_moments(samples); });
    ProbeResult result;
    result.labels = judged.labels;
    result.training_samples = trained_on;
    result.test_samples = judged.test.features.samples;
    result.chance = chance_of(samples, moments.all);
    result.penalties = relative_penalties(config);
    result.by_modes = judge_by_modes(samples, moments, config, report);
    result.label_alignment = label_alignment(moments.all);
    if (config.probe.times > 0) judge_by_time(samples, moments, config, file, report, result);
    if (pairs) {
      const Problem problem = pose(comm, model.config, *pairs);
      result.kernel = judge_kernel(problem, samples, result, report);
    }
    const std::int64_t size = report.stage(
        "write", 0, [&](const auto&) { return write_probe(comm, config, run, command, model, result, report); });
    report.result("output", config.output);
    report.result("ridge_accuracy", result.by_modes.ridge.back().tests[result.by_modes.ridge.back().path.chosen]);
    const std::string timing = report.timing_table();
    if (comm.rank() == 0) {
      fmt::print("{}\n{}\n{} written, {}\n", summary(result), timing, config.output,
                 format_bytes(static_cast<double>(size)));
    }
  } catch (const CollectiveError& error) {
    if (error.code() != ExitCode::stopped) throw;
    throw CollectiveError(ExitCode::stopped, fmt::format("by {}; nothing is kept of probes. Start again with:\n  {}",
                                                         limit.cause(), command));
  }
}

}  // namespace stepwise
