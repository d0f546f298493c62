#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "label_probe.hpp"
#include "network_config.hpp"
#include "network_simulation.hpp"
#include "simulate_output.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/theory/embedding.hpp"
#include "study.hpp"

namespace stepwise {
namespace {

/// What the theory says of a network whose tangent kernel stays what it was.
struct NetworkTheory {
  ContrastiveModes modes;
  Embedding final_embedding;
  InitialCondition aligned;
};

/// Ranks of the grid along the width. All, where gradients are more numbers than the signals that travel instead.
int width_ranks(const SimulateConfig& config, const Problem& problem, const FullyConnected& of) {
  if (config.network.width_ranks) return static_cast<int>(*config.network.width_ranks);
  const auto affine = static_cast<double>(of.layers.layers.size() / 2);  // hidden layers
  const auto width = static_cast<double>(of.width);
  const auto outputs = static_cast<double>(of.outputs);
  const std::int64_t groups = problem.samples / problem.pairing.views;
  const std::int64_t batch = config.network.batch == 0 ? groups : std::min(groups, config.network.batch);
  const double signals = static_cast<double>(batch * problem.pairing.views) * (2 * (affine - 1) * width + outputs);
  const double gradients = width * (static_cast<double>(of.inputs) + (affine - 1) * width + outputs);
  return affine > 0 && signals < gradients && problem.comm.size() <= of.width ? problem.comm.size() : 1;
}

NetworkSamples columns_of(Samples samples) {
  return {samples.features, std::move(samples.data)};
}

NetworkSamples within(const InputSpan& span, const NetworkSamples& samples) {
  return {span.dimensions(), coordinates(span, samples.view())};
}

/// Where there are fewer samples than numbers in one, the network sees no more than their span.
std::optional<InputSpan> common_span(const Problem& problem, const SimulateConfig& config, const FullyConnected& of) {
  const std::int64_t tests = test_count(problem.pairs);
  const bool hidden = of.layers.layers.size() > 1;
  if (!hidden || config.network.weight_decay > 0 || config.network.lars || problem.samples + tests >= of.inputs) {
    return std::nullopt;
  }
  return attempt(problem.comm, [&] {
    NetworkSamples all = columns_of(load_range(problem, {0, problem.samples}));
    if (tests > 0) {
      const Samples more = load_tests(problem, {0, tests});
      all.data.insert(all.data.end(), more.data.begin(), more.data.end());
    }
    return input_span(all.view());
  });
}

/// Refuses what cannot fit: parameters, their start, the gradient and velocity; samples; the tangent kernel.
/// Collective.
void check_network_memory(const SimulateConfig& config, const Problem& problem, const FullyConnected& of) {
  const auto hidden = static_cast<double>(of.layers.layers.size() / 2);
  const auto width = static_cast<double>(of.width);
  const auto inputs = static_cast<double>(of.inputs);
  const auto outputs = static_cast<double>(of.outputs);
  const auto samples = static_cast<double>(problem.samples);
  const double parameters = hidden == 0 ? inputs * outputs : width * (inputs + (hidden - 1) * width + outputs);
  const double along = width_ranks(config, problem, of);
  const double data = static_cast<double>(problem.comm.size()) / along;
  const bool all = config.network.batch > 0;
  check_map_memory(
      problem.comm,
      4 * parameters / along + samples * (all ? inputs : inputs / data) +
          2 * samples / data * (samples + hidden * width * (2 + outputs / along)),
      fmt::format("--kernel.width {} and --data.pairs {}: training the network", of.width, *config.problem.data.pairs));
}

NetworkTheory predict_from(const Study& study, NetworkRun& run, const BlockVector& f0) {
  const Problem& problem = *study.problem;
  const SampleMatrix own = rows_of(run.start_kernel, f0.range);
  KrylovOptions options;
  options.modes = *study.config.problem.modes;
  options.tolerance = study.config.problem.solver.tolerance;
  NetworkTheory theory;
  theory.modes = krylov_modes(
      study.comm, contrastive_operator(problem.samples, product_with(own, study.comm), problem.pairing), options);
  theory.final_embedding = training_embedding(theory.modes, study.comm);
  theory.aligned = align_outputs(f0, theory.final_embedding, study.comm);
  return theory;
}

double relative_distance(const BlockVector& f, const BlockVector& g, const Communicator& comm) {
  std::vector<double> sums(2);
  for (std::size_t i = 0; i < f.data.size(); ++i) {
    sums[0] += (f.data[i] - g.data[i]) * (f.data[i] - g.data[i]);
    sums[1] += g.data[i] * g.data[i];
  }
  sum(comm, sums);
  return std::sqrt(sums[0] / sums[1]);
}

/// Pairs whose part of the tangent kernel is recorded: the matrix grows with their square.
std::int64_t kernel_pairs(const Problem& problem) {
  constexpr std::int64_t most_samples = 256;
  return std::min(problem.samples, most_samples) / problem.pairing.views;
}

/// The kernel of the first pairs, all first views, then all second ones. Collective.
std::vector<double> leading_part(const SampleMatrix& kernel, std::int64_t pairs, std::int64_t views,
                                 const Communicator& data) {
  const std::int64_t count = pairs * views;
  const auto place = [&](std::int64_t sample) { return sample % views * pairs + sample / views; };
  std::vector<double> part(static_cast<std::size_t>(count * count));
  for (std::int64_t i = kernel.own.begin; i < std::min(kernel.own.end, count); ++i) {
    for (std::int64_t j = 0; j < count; ++j) {
      part[static_cast<std::size_t>(place(i) * count + place(j))] = kernel.view()(i - kernel.own.begin, j);
    }
  }
  sum(data, part);
  return part;
}

/// Embeddings of all samples and the tangent kernel, at the moments of the snapshots.
void record_pictures(Simulation& simulation, const Study& study, const std::shared_ptr<NetworkRun>& run,
                     const std::vector<NetworkSamples>& tests, const NetworkTheory& theory,
                     const Prediction* prediction, const LabelProbe* probe) {
  const Problem& problem = *study.problem;
  const auto d = static_cast<hsize_t>(run->training.network.outputs());
  const std::int64_t views = problem.pairing.views;
  const std::vector<hsize_t> shape{static_cast<hsize_t>(views), static_cast<hsize_t>(problem.samples / views), d};
  const std::vector<std::string> scales{"/view", "/pair", "/output"};
  simulation.pictured.push_back(
      {{"/ntk/change",
        "1",
        "|K - K_0| / |K_0| of the network's tangent kernel on the training samples (Frobenius)",
        {}},
       {}});
  const auto count = static_cast<hsize_t>(kernel_pairs(problem) * views);
  simulation.pictured.push_back(
      {{"/ntk/kernel",
        "1",
        "the network's tangent kernel, mean over outputs, of all first views, then all second "
        "ones and so on, of the first pairs",
        {"", ""}},
       {count, count}});
  simulation.pictured.push_back({{"/measured/embeddings", "1", "f(x, t) of all views of every pair", scales}, shape});
  if (prediction != nullptr) {
    simulation.pictured.push_back(
        {{"/predicted/embeddings", "1", "U S(t) A^T k(x) (eq. 40) of all views of every pair", scales}, shape});
    simulation.pictured.push_back(
        {{"/difference/embeddings", "1", "norm of measured - predicted over that of predicted", {}}, {}});
  }
  const std::vector<TestGroup> groups = test_groups(problem.pairs);
  for (const TestGroup& group : groups) {
    simulation.pictured.push_back({{"/measured/" + group.name,
                                    "1",
                                    "f(x, t) of the samples in " + group.name,
                                    {"/" + group.name + "_sample", "/output"}},
                                   {static_cast<hsize_t>(group.range.size()), d}});
  }
  if (probe != nullptr) simulation.pictured.push_back(probe_dataset(*probe));
  simulation.pictures = [run, &study, &problem, &tests, &theory, prediction, groups, probe](std::int64_t record) {
    const SampleMatrix kernel = tangent_kernel(run->training.network, run->grid, run->own.view());
    std::vector<Entry> entries{std::vector<double>{relative_change(kernel, run->start_kernel, run->grid.data)},
                               leading_part(kernel, kernel_pairs(problem), problem.pairing.views, run->grid.data)};
    BlockVector f = outputs_of(*run, run->own.view(), problem.samples, problem.pairing.views);
    std::vector<BlockVector> of_tests;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      of_tests.push_back(outputs_of(*run, tests[i].view(), groups[i].range.size(), 1));
    }
    std::vector<double> accuracy;
    if (probe != nullptr) {
      accuracy.push_back(probe_accuracy(study.comm, *probe, f, of_tests.empty() ? nullptr : &of_tests.front()));
    }
    if (prediction != nullptr) {
      BlockVector predicted = predicted_embeddings(*prediction, record, theory.final_embedding.train);
      const double apart = relative_distance(f, predicted, study.comm);
      entries.emplace_back(std::move(f));
      entries.emplace_back(std::move(predicted));
      entries.emplace_back(std::vector<double>{apart});
    } else {
      entries.emplace_back(std::move(f));
    }
    for (BlockVector& of_group : of_tests) entries.emplace_back(std::move(of_group));
    if (probe != nullptr) entries.emplace_back(std::move(accuracy));
    return entries;
  };
}

/// This data rank's test samples, group by group.
std::vector<NetworkSamples> load_test_samples(const Problem& problem, const TrainingGrid& grid,
                                              const std::optional<InputSpan>& span) {
  std::vector<NetworkSamples> tests;
  for (const TestGroup& group : test_groups(problem.pairs)) {
    const Range own = batch_share(grid, group.range.size(), 1);
    tests.push_back(columns_of(load_tests(problem, {group.range.begin + own.begin, group.range.begin + own.end})));
    if (span) tests.back() = within(*span, tests.back());
  }
  return tests;
}

std::shared_ptr<NetworkRun> begin(const Study& study, const FullyConnected& of, const std::optional<InputSpan>& span) {
  const SimulateConfig& config = study.config;
  const Problem& problem = *study.problem;
  TrainingGrid grid = make_training_grid(study.comm, width_ranks(config, problem, of));
  return attempt(study.comm, [&] {
    const auto run = std::make_shared<NetworkRun>(NetworkRun{std::move(grid),
                                                             problem.pairing,
                                                             problem.samples,
                                                             pair_loss_of(config),
                                                             {},
                                                             0,
                                                             static_cast<std::uint64_t>(config.problem.seed),
                                                             {},
                                                             {},
                                                             {},
                                                             {},
                                                             {},
                                                             {},
                                                             {},
                                                             {}});
    const std::int64_t groups = problem.samples / problem.pairing.views;
    const std::int64_t batch = config.network.batch == 0 ? groups : std::min(config.network.batch, groups);
    if (batch < fewest_groups(run->loss)) {
      fail(ExitCode::input,
           "{} pairs in a batch are too few for --training.loss {}: it compares pairs, give at least {}", batch,
           config.training.loss, fewest_groups(run->loss));
    }
    run->batch = batch;
    run->own = columns_of(load_range(problem, batch_share(run->grid, problem.samples, problem.pairing.views)));
    if (batch < groups) run->every = columns_of(load_range(problem, {0, problem.samples}));
    run->training.network = draw_perceptron(of, run->grid.width, run->seed);
    if (span) {
      confine(run->training.network, *span);
      run->own = within(*span, run->own);
      if (run->every) run->every = within(*span, *run->every);
    }
    run->start = run->training.network.parameters;
    return run;
  });
}

/// "|theta| moved by ...; kernel by ...".
std::string summary(const NetworkRun& run, const SampleMatrix& kernel) {
  const WeightDistance way = weight_distance(run.training.network, run.start, run.grid.width);
  return fmt::format(
      "weights moved by {:.6g}; tangent kernel changed by {:.4f} of its norm; {} x {} ranks (data x width)\n",
      way.total, relative_change(kernel, run.start_kernel, run.grid.data), run.grid.data.size(), run.grid.width.size());
}

}  // namespace

void simulate_network(const Study& study) {
  const SimulateConfig& config = study.config;
  const Communicator& comm = study.comm;
  const Problem& problem = *study.problem;
  const std::int64_t d = *config.problem.modes;
  const FullyConnected of = attempt(comm, [&] {
    const auto* network = std::get_if<Network>(&problem.kernel);
    if (network == nullptr) fail(ExitCode::input, "--model network needs one kernel of type ntk, on one modality");
    return FullyConnected{*network, problem.features, config.problem.kernel.width, d, config.problem.dynamics.alpha};
  });
  check_network_memory(config, problem, of);
  const std::optional<InputSpan> span = common_span(problem, config, of);
  const std::shared_ptr<NetworkRun> run = begin(study, of, span);
  const std::vector<NetworkSamples> tests = attempt(comm, [&] { return load_test_samples(problem, run->grid, span); });

  // The untrained network, and what the theory makes of it.
  study.report.stage("tangent kernel", 0, [&](const auto&) {
    run->start_kernel = tangent_kernel(run->training.network, run->grid, run->own.view());
  });
  TrainingStart start;
  start.outputs = outputs_of(*run, run->own.view(), problem.samples, problem.pairing.views);
  const NetworkTheory theory =
      study.report.stage("modes", 0, [&](const auto&) { return predict_from(study, *run, start.outputs); });
  const bool plain = std::holds_alternative<SimplifiedBarlowTwins>(run->loss);
  const double momentum = config.network.momentum;
  const double stable = study.report.stage("largest stable rate", 0, [&](const auto&) {
    if (plain) return (1 + momentum) / (4 * theory.modes.gamma.front());
    return stable_rate_at(sharpness(run->training.network, run->grid, run->own.view(), run->loss, run->pairing),
                          momentum);
  });
  const std::optional<double> rate = learning_rate(config, stable);
  run->optimiser = optimiser_of(config, *rate);
  run->training = begin_network_training(std::move(run->training.network), run->optimiser);
  const std::vector<double>& gamma = theory.final_embedding.gamma;
  const Schedule schedule = attempt(comm, [&] { return make_schedule(config, gamma, theory.aligned.s0, rate); });
  // Momentum m makes steps 1 / (1 - m) times as long, once it has built up.
  const Prediction prediction = predict(gamma, theory.aligned, schedule, *rate / (1 - momentum));

  const std::optional<LabelProbe> probe = attempt(comm, [&] { return label_probe(problem.pairs, !tests.empty()); });
  std::vector<Simulation> simulations{network_simulation(run)};
  Simulation& simulation = simulations.front();
  simulation.advice =
      fmt::format("--training.rate is {:.6g}, and at the start the largest stable one is {} = {:.6g}", *rate,
                  plain ? "(1 + momentum) / (4 gamma_1)" : "2 (1 + momentum) / (largest curvature)", stable);
  const Prediction* shown = plain && !config.network.lars ? &prediction : nullptr;
  const std::vector<SeriesDataset> own_rows = simulation.recorded;
  if (shown != nullptr) record_prediction(simulation, prediction);
  if (config.record.embeddings > 0)
    record_pictures(simulation, study, run, tests, theory, shown, probe ? &*probe : nullptr);

  std::vector<FixedDataset> datasets = sample_scales(problem, d);
  datasets.push_back(number_scale("layer", "number of an affine layer", 1, std::ssize(run->training.network.layers)));
  datasets.push_back(number_scale("hidden_mode", "number of an eigenvalue of the hidden covariance", 1,
                                  static_cast<std::int64_t>(own_rows[1].extents.front())));
  for (auto& part :
       {attempt(comm, [&] { return label_datasets(problem.pairs); }),
        predicted_datasets(theory.modes.gamma, prediction), start_datasets(start, d, problem.pairing.views)}) {
    datasets.insert(datasets.end(), part.begin(), part.end());
  }
  std::string text;
  const auto finish = [&](const std::vector<History>& histories) {
    if (shown != nullptr) text = comparison(histories.front(), prediction);
    text += summary(*run, tangent_kernel(run->training.network, run->grid, run->own.view()));
    return Epilogue{{}, measured_datasets("", histories.front(), shown, d)};
  };
  const std::int64_t size =
      train(begin_record(study, d, std::move(datasets)), simulations, schedule, study.checkpoint, study.report, finish);
  conclude(study, size, text);
}

}  // namespace stepwise
