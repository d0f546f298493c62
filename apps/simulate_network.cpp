#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "network_config.hpp"
#include "network_pictures.hpp"
#include "network_start.hpp"
#include "simulate_output.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/theory/embedding.hpp"

namespace stepwise {
namespace {

/// What the theory says of a network whose tangent kernel stays what it was.
struct NetworkTheory {
  ContrastiveModes modes;
  Embedding final_embedding;
  InitialCondition aligned;
};

NetworkTheory predict_from(const Study& study, const NetworkRun& run, const BlockVector& f0) {
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

/// The learning rate, and what it is to be compared with.
struct Rate {
  double value = 0;
  double stable = 0;         ///< the largest one, of gradients of all pairs
  const char* formula = "";  ///< of the stable one
};

/// Sets up the optimiser. Collective.
Rate begin_descent(const Study& study, NetworkRun& run, double gamma) {
  const double momentum = study.config.network.momentum;
  Rate rate;
  double plain = 0;  // without momentum
  if (std::holds_alternative<SimplifiedBarlowTwins>(run.loss)) {
    plain = 1 / (4 * gamma);
    rate.formula = "(1 + momentum) / (4 gamma_1)";
  } else {
    plain = stable_rate_at(sharpness(run.training.network, run.grid, run.own.view(), run.loss, run.pairing), 0);
    rate.formula = "2 (1 + momentum) / (largest curvature)";
  }
  rate.stable = (1 + momentum) * plain;
  rate.value = *learning_rate(study.config, plain);
  run.optimiser = optimiser_of(study.config, rate.value);
  run.training = begin_network_training(std::move(run.training.network), run.optimiser);
  return rate;
}

/// What is unusual about the settings of a training that diverged; `start`: the largest eigenvalue of C at the start.
std::string advice(const SimulateConfig& config, const Rate& rate, double start) {
  const auto& n = config.network;
  if (n.lars) {
    return fmt::format(
        "--training.rate is {:.6g} and --training.trust {:.6g}, for which LARS knows no largest stable value: choose a "
        "smaller one of either",
        rate.value, n.trust);
  }
  if (n.weight_decay * rate.value > 1) {
    return fmt::format("--training.weight-decay is {:.6g}, above 1 / --training.rate = {:.6g}: choose a smaller one",
                       n.weight_decay, 1 / rate.value);
  }
  // From beyond C = I only rates of 1 / (2 gamma (3 lambda - 1)) and less are stable.
  if (start > (rate.value < rate.stable ? 1.5 : 10)) {
    return fmt::format(
        "--dynamics.alpha is {:.6g}, with which an eigenvalue of C starts at {:.3g}, beyond the 1 that it is trained "
        "to: choose a smaller one, or a smaller --training.rate than {:.6g}",
        config.problem.dynamics.alpha, start, rate.value);
  }
  if (rate.value >= rate.stable) {
    return fmt::format("--training.rate is {:.6g}, and at the start the largest stable one is {} = {:.6g}", rate.value,
                       rate.formula, rate.stable);
  }
  return fmt::format("--training.rate is {:.6g}, below {} = {:.6g} of all pairs at the start: choose a smaller one{}",
                     rate.value, rate.formula, rate.stable, n.batch > 0 ? ", or a larger --training.batch" : "");
}

/// The largest eigenvalue of C that the theory has training by the plain loss start with; 0 by others.
double largest_start(const NetworkRun& run, const std::vector<double>& gamma, const std::vector<double>& s0) {
  double largest = 0;
  if (!std::holds_alternative<SimplifiedBarlowTwins>(run.loss)) return largest;
  for (std::size_t j = 0; j < gamma.size(); ++j) largest = std::max(largest, gamma[j] * s0[j] * s0[j]);
  return largest;
}

/// Whether the theory is about this training: LARS and weight decay are not in it.
bool is_foretold(const SimulateConfig& config, const NetworkRun& run) {
  return std::holds_alternative<SimplifiedBarlowTwins>(run.loss) && !config.network.lars &&
         config.network.weight_decay == 0;
}

/// What the file has beside its series. Collective. `start` must outlive it.
std::vector<FixedDataset> datasets_before(const Problem& problem, const NetworkRun& run, const TrainingStart& start,
                                          const std::vector<double>& gamma, const Prediction& prediction,
                                          bool snapshots) {
  const std::int64_t d = run.training.network.outputs();
  std::vector<FixedDataset> datasets = sample_scales(problem, d);
  datasets.push_back(number_scale("layer", "number of an affine layer", 1, std::ssize(run.training.network.layers)));
  datasets.push_back(
      number_scale("hidden_mode", "number of an eigenvalue of the hidden covariance", 1, hidden_values(run)));
  for (auto& part :
       {attempt(problem.comm, [&] { return label_datasets(problem.pairs); }), predicted_datasets(gamma, prediction),
        snapshots ? picture_scales(problem) : std::vector<FixedDataset>(),
        start_datasets(start, d, problem.pairing.views)}) {
    datasets.insert(datasets.end(), part.begin(), part.end());
  }
  return datasets;
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
  const FullyConnected of = attempt(comm, [&] { return network_of(study); });
  check_network_memory(study, of);
  const std::optional<InputSpan> span = common_span(study, of);
  const std::shared_ptr<NetworkRun> run = begin_network(study, of, span);
  std::vector<NetworkSamples> tests = network_tests(problem, run->grid, span);

  // The untrained network, and what the theory makes of it.
  study.report.stage("tangent kernel", 0, [&](const auto&) {
    run->start_kernel = tangent_kernel(run->training.network, run->grid, run->own.view());
  });
  TrainingStart start;
  start.outputs = outputs_of(*run, run->own.view(), problem.samples, problem.pairing.views);
  const NetworkTheory theory =
      study.report.stage("modes", 0, [&](const auto&) { return predict_from(study, *run, start.outputs); });
  const Rate rate = study.report.stage(
      "largest stable rate", 0, [&](const auto&) { return begin_descent(study, *run, theory.modes.gamma.front()); });
  const bool foretold = is_foretold(config, *run);
  if (foretold) check_rate(study, rate.value, rate.stable, rate.formula);
  const std::vector<double>& gamma = theory.final_embedding.gamma;
  const Schedule schedule = attempt(comm, [&] { return make_schedule(config, gamma, theory.aligned.s0, rate.value); });
  const Prediction prediction = predict(comm, gamma, theory.aligned, schedule, rate.value, config.network.momentum);
  const Prediction* shown = foretold ? &prediction : nullptr;
  if (foretold) warn_of_large_start(study, prediction);

  // The trained one.
  std::vector<Simulation> simulations{network_simulation(run)};
  simulations.front().advice = advice(config, rate, largest_start(*run, gamma, theory.aligned.s0));
  if (shown != nullptr) record_prediction(simulations.front(), prediction);
  if (config.record.embeddings > 0) {
    std::optional<LabelProbe> probe = attempt(comm, [&] { return label_probe(problem.pairs, !tests.empty()); });
    record_pictures(simulations.front(),
                    std::make_shared<NetworkPictures>(NetworkPictures{
                        problem, run, std::move(tests), theory.final_embedding.train, shown, std::move(probe)}));
  }
  const Record record =
      begin_record(study, of.outputs,
                   datasets_before(problem, *run, start, theory.modes.gamma, prediction, config.record.embeddings > 0));
  std::string text;
  const auto finish = [&](const std::vector<History>& histories) {
    if (shown != nullptr) text = comparison(histories.front(), prediction);
    if (shown != nullptr && run->every) {
      text += fmt::format("prediction: of training by all pairs; by minibatches of {} it scatters about that\n",
                          run->batch);
    }
    text += summary(*run, tangent_kernel(run->training.network, run->grid, run->own.view()));
    return Epilogue{{}, measured_datasets("", histories.front(), shown, of.outputs)};
  };
  const std::int64_t size = train(record, simulations, schedule, study.checkpoint, study.report, finish);
  conclude(study, size, text);
}

}  // namespace stepwise
