#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>

#include "correlation_simulation.hpp"
#include "simulate_output.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/theory/embedding.hpp"
#include "study.hpp"

namespace stepwise {
namespace {

/// The untrained model, and what the theory makes of it. The rest of training refers to it: it stays where it is.
struct Untrained {
  FoundModes found;
  Embedding final_embedding;
  Samples features;                      ///< of --model linear, this rank's
  std::optional<TrainingKernel> kernel;  ///< of others
  TrainingStart start;
  InitialCondition aligned;

  [[nodiscard]] bool linear() const noexcept { return !kernel; }
  [[nodiscard]] const Samples& own() const { return linear() ? features : kernel->own(); }
};

std::unique_ptr<Untrained> untrained(const Study& study) {
  const SimulateConfig& config = study.config;
  const Problem& problem = *study.problem;
  const std::int64_t d = *config.problem.modes;
  auto model = std::make_unique<Untrained>();
  model->found = modes_of(study);
  model->final_embedding = training_embedding(model->found.modes, study.comm);
  if (config.model == "linear") {
    model->features = load_share(problem);
    model->start = linear_start(config, problem, model->features, d);
  } else {
    model->kernel.emplace(problem, study.report);
    model->start = kernel_start(config, problem, *model->kernel, d);
  }
  model->aligned = align_outputs(model->start.outputs, model->final_embedding, study.comm);
  return model;
}

/// Warns where rounding of single precision is no longer small beside how the modes start.
void warn_of_rounding(const Study& study, const Untrained& model) {
  if (model.linear() || !model.kernel->rounds_to_single()) return;
  constexpr double enough = 1e-6;  // eigenvalues of C are then wrong by 1e-4
  const std::vector<double>& gamma = model.final_embedding.gamma;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t j = 0; j < gamma.size(); ++j) {
    least = std::min(least, std::sqrt(gamma[j]) * model.aligned.s0[j]);
  }
  if (!(least < enough)) return;
  study.report.warn(
      fmt::format("--kernel.storage single rounds outputs to 1e-7 of what is learned, and training amplifies that like "
                  "the initial weights: the least of sqrt(gamma_j) s_j(0) is {:.2g}, below {:.0e}; what is measured is "
                  "then not exact: choose --kernel.storage double or none, or a larger --dynamics.alpha",
                  least, enough));
}

/// The test samples, where they are embedded. Collective.
std::vector<NewSamples> new_samples(const Study& study, const Untrained& model) {
  std::vector<NewSamples> all;
  const Problem& problem = *study.problem;
  if (study.config.record.embeddings == 0 || !model.start.everywhere()) {
    if (test_count(problem.pairs) > 0) {
      study.report.note("test samples are not embedded: the outputs given do not say where they start");
    }
    return all;
  }
  for (const auto& [name, range, modality] : test_groups(problem.pairs)) {
    const std::size_t kind = problem.centring && problem.centring->kinds > 1 ? modality : 0;
    const auto read = [&problem, first = range.begin](Range batch) {
      return load_tests(problem, {first + batch.begin, first + batch.end});
    };
    all.push_back(
        {name,
         model.linear()
             ? linear_embedder(problem, range)
             : kernel_embedder(problem, *model.kernel, model.start, model.found.modes.means, range, modality),
         embed(problem.kernel, model.final_embedding, model.own(), problem.comm, range.size(), read, 1, kind)});
  }
  return all;
}

/// A model to be trained by one loss, from the start.
std::shared_ptr<CorrelationRun> begin(const Study& study, const Untrained& model, const Objective& objective) {
  const Problem& problem = *study.problem;
  const std::int64_t d = *study.config.problem.modes;
  const bool covariance = objective.preconditioning.has_value();
  if (model.linear()) {
    return begin_run(linear_model(model.features, d, problem.samples, study.comm, problem.pairing, covariance),
                     model.start.weights, objective);
  }
  MatrixModel dual =
      kernel_model(model.kernel->product(), model.start.outputs, study.comm, problem.pairing, covariance);
  std::vector<double> none(static_cast<std::size_t>(d * dual.columns));
  return begin_run(std::move(dual), std::move(none), objective);
}

void append(std::vector<FixedDataset>& datasets, std::vector<FixedDataset> more) {
  std::move(more.begin(), more.end(), std::back_inserter(datasets));
}

std::vector<FixedDataset> datasets_before(const Problem& problem, const Untrained& model,
                                          const Prediction& prediction) {
  const auto d = std::ssize(prediction.gamma);
  std::vector<FixedDataset> datasets = sample_scales(problem, d);
  append(datasets, attempt(problem.comm, [&] { return label_datasets(problem.pairs); }));
  append(datasets, predicted_datasets(model.found.modes.gamma, prediction));
  append(datasets, start_datasets(model.start, d, problem.pairing.views));
  return datasets;
}

/// The end of the file, loss by loss.
Epilogue epilogue_of(const std::vector<std::string>& losses, const std::vector<Simulation>& simulations,
                     const std::vector<History>& histories, const Prediction& prediction) {
  const auto d = std::ssize(prediction.gamma);
  Epilogue epilogue;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    append(epilogue.datasets,
           measured_datasets(simulations[i].group, histories[i], losses[i] == "plain" ? &prediction : nullptr, d));
  }
  if (losses.size() > 1) append(epilogue.datasets, loss_datasets(losses, histories, d));
  return epilogue;
}

/// The same for the terminal.
std::string summary(const std::vector<std::string>& losses, const std::vector<History>& histories,
                    const Prediction& prediction) {
  std::string text;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    if (losses[i] == "plain") text += comparison(histories[i], prediction);
  }
  if (losses != std::vector<std::string>{"plain"}) text += comparison(losses, histories, std::ssize(prediction.gamma));
  return text;
}

}  // namespace

void simulate_correlation(const Study& study) {
  const SimulateConfig& config = study.config;
  const Problem& problem = *study.problem;
  const Communicator& comm = study.comm;
  const std::unique_ptr<Untrained> model = untrained(study);
  const double stable = stable_rate(model->found.modes.gamma.front());
  const std::optional<double> rate = learning_rate(config, stable);
  check_rate(study, rate, stable, "1 / (4 gamma_1)");
  warn_of_rounding(study, *model);
  const std::vector<double>& gamma = model->final_embedding.gamma;
  const Schedule schedule = attempt(comm, [&] { return make_schedule(config, gamma, model->aligned.s0, rate); });
  const Prediction prediction = predict(comm, gamma, model->aligned, schedule, rate);
  warn_of_large_start(study, prediction);
  const std::vector<NewSamples> tests = new_samples(study, *model);
  const std::optional<LabelProbe> probe = attempt(comm, [&] { return label_probe(problem.pairs, !tests.empty()); });

  const std::vector<std::string> losses = loss_names(config);
  std::vector<Simulation> simulations;
  for (const std::string& loss : losses) {
    const std::shared_ptr<CorrelationRun> run = begin(study, *model, objective_of(config, loss));
    Simulation& simulation = simulations.emplace_back(correlation_simulation(run, loss, config, rate));
    const Prediction* theory = loss == "plain" ? &prediction : nullptr;
    if (theory != nullptr) record_prediction(simulation, prediction);
    if (config.record.embeddings > 0) {
      record_embeddings(simulation, run, problem, model->final_embedding.train, tests, theory,
                        probe ? &*probe : nullptr);
    }
    simulation.advice = divergence_advice(config, rate, stable, "1 / (4 gamma_1) for the plain loss");
  }

  Record record = begin_record(study, *config.problem.modes, datasets_before(problem, *model, prediction));
  record.keep_before = [&] { study.checkpoint.keep(model->found.method, model->found.modes); };
  std::string text;
  const auto finish = [&](const std::vector<History>& histories) {
    text = summary(losses, histories, prediction);
    return epilogue_of(losses, simulations, histories, prediction);
  };
  const std::int64_t size = train(record, simulations, schedule, study.checkpoint, study.report, finish);
  conclude(study, size, text);
}

}  // namespace stepwise
