#include <fmt/format.h>

#include <optional>

#include "correlation_simulation.hpp"
#include "simulate_output.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/theory/embedding.hpp"
#include "study.hpp"

namespace stepwise {
namespace {

std::vector<NewSamples> new_samples(const Study& study, const Samples& own, const Embedding& embedding) {
  std::vector<NewSamples> all;
  const Problem& problem = *study.problem;
  for (const auto& [name, range, modality] : test_groups(problem.pairs)) {
    const std::size_t kind = problem.centring && problem.centring->kinds > 1 ? modality : 0;
    const auto read = [&problem, first = range.begin](Range batch) {
      return load_tests(problem, {first + batch.begin, first + batch.end});
    };
    all.push_back({name, {}, embed(problem.kernel, embedding, own, problem.comm, range.size(), read, 1, kind)});
  }
  return all;
}

}  // namespace

void simulate_correlation(const Study& study) {
  const SimulateConfig& config = study.config;
  const Problem& problem = *study.problem;
  const Communicator& comm = study.comm;
  const std::int64_t d = *config.problem.modes;
  const FoundModes found = modes_of(study);
  const ContrastiveModes& modes = found.modes;
  const Embedding final_embedding = training_embedding(modes, comm);

  // The untrained model, and what the theory makes of it.
  const bool linear = config.model == "linear";
  std::optional<TrainingKernel> kernel;
  Samples features;
  if (linear) {
    features = load_share(problem);
  } else {
    kernel.emplace(problem, study.report);
  }
  const TrainingStart start =
      linear ? linear_start(config, problem, features, d) : kernel_start(config, problem, *kernel, d);
  const InitialCondition aligned = align_outputs(start.outputs, final_embedding, comm);
  const double stable = stable_rate(modes.gamma.front());
  const std::optional<double> rate = learning_rate(config, stable);
  if (rate && *rate > stable) {
    study.report.warn(
        fmt::format("--training.rate {:.6g} is above the largest stable rate of the plain loss, 1 / (4 "
                    "gamma_1) = {:.6g}: eigenvalues near 1 will not settle",
                    *rate, stable));
  }
  const Schedule schedule =
      attempt(comm, [&] { return make_schedule(config, final_embedding.gamma, aligned.s0, rate); });
  const Prediction prediction = predict(final_embedding.gamma, aligned, schedule, rate);
  std::vector<NewSamples> tests;
  if (config.record.embeddings > 0 && start.everywhere()) {
    tests = new_samples(study, linear ? features : kernel->own(), final_embedding);
    const std::vector<TestGroup> groups = test_groups(problem.pairs);
    for (std::size_t i = 0; i < tests.size(); ++i) {
      tests[i].embed = linear
                           ? linear_embedder(problem, groups[i].range)
                           : kernel_embedder(problem, *kernel, start, modes.means, groups[i].range, groups[i].modality);
    }
  } else if (test_count(problem.pairs) > 0) {
    study.report.note("test samples are not embedded: the outputs given do not say where they start");
  }

  const std::optional<LabelProbe> probe = attempt(comm, [&] { return label_probe(problem.pairs, !tests.empty()); });

  // The trained one.
  const std::vector<std::string> losses = loss_names(config);
  std::vector<Simulation> simulations;
  for (const std::string& loss : losses) {
    const Objective objective = objective_of(config, loss);
    const bool covariance = objective.preconditioning.has_value();
    MatrixModel model = linear ? linear_model(features, d, problem.samples, comm, problem.pairing, covariance)
                               : kernel_model(kernel->product(), start.outputs, comm, problem.pairing, covariance);
    std::vector<double> x0 = linear ? start.weights : std::vector<double>(static_cast<std::size_t>(d * model.columns));
    const auto run = begin_run(std::move(model), std::move(x0), objective);
    Simulation& simulation = simulations.emplace_back(correlation_simulation(run, loss, config, rate));
    const Prediction* theory = loss == "plain" ? &prediction : nullptr;
    if (theory != nullptr) record_prediction(simulation, prediction);
    if (config.record.embeddings > 0) {
      record_embeddings(simulation, run, problem, final_embedding.train, tests, theory, probe ? &*probe : nullptr);
    }
    simulation.advice = divergence_advice(config, rate, stable, "1 / (4 gamma_1) for the plain loss");
  }

  std::vector<FixedDataset> datasets = sample_scales(problem, d);
  for (auto& part : {attempt(comm, [&] { return label_datasets(problem.pairs); }),
                     predicted_datasets(modes.gamma, prediction), start_datasets(start, d, problem.pairing.views)}) {
    datasets.insert(datasets.end(), part.begin(), part.end());
  }
  Record record = begin_record(study, d, std::move(datasets));
  record.keep_before = [&] { study.checkpoint.keep(found.method, modes); };
  std::string text;
  const auto finish = [&](const std::vector<History>& histories) {
    Epilogue epilogue;
    for (std::size_t i = 0; i < losses.size(); ++i) {
      const Prediction* theory = losses[i] == "plain" ? &prediction : nullptr;
      const auto more = measured_datasets(simulations[i].group, histories[i], theory, d);
      epilogue.datasets.insert(epilogue.datasets.end(), more.begin(), more.end());
      if (theory != nullptr) text += comparison(histories[i], prediction);
    }
    if (losses.size() > 1) {
      const auto more = loss_datasets(losses, histories, d);
      epilogue.datasets.insert(epilogue.datasets.end(), more.begin(), more.end());
    }
    if (losses != std::vector<std::string>{"plain"}) text += comparison(losses, histories, d);
    return epilogue;
  };
  const std::int64_t size = train(record, simulations, schedule, study.checkpoint, study.report, finish);
  conclude(study, size, text);
}

}  // namespace stepwise
