#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "dynamics_run.hpp"
#include "find_modes.hpp"
#include "prediction.hpp"
#include "simulate_output.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/pblas.hpp"
#include "stepwise/sim/supervised_flow.hpp"
#include "stepwise/theory/supervised.hpp"
#include "study.hpp"
#include "training_kernel.hpp"
#include "training_start.hpp"

namespace stepwise {
namespace {

/// What is to be learned: one output for each class, 1 - 1/classes for samples of the class and -1/classes for others.
struct Targets {
  std::vector<std::int64_t> labels;   ///< of each pair
  std::vector<std::int64_t> classes;  ///< ascending
  BlockVector y;
};

Targets targets_of(const Study& study) {
  const Problem& problem = *study.problem;
  return attempt(study.comm, [&] {
    Targets targets{train_labels(problem.pairs), {}, {}};
    if (targets.labels.empty()) {
      fail(ExitCode::input,
           "--model supervised learns labels, which --data.source {} has none of: choose cifar10, mnist, stl10, or an "
           "hdf5 file with a dataset labels",
           study.config.problem.data.source);
    }
    const std::set<std::int64_t> classes(targets.labels.begin(), targets.labels.end());
    targets.classes.assign(classes.begin(), classes.end());
    if (classes.size() < 2) fail(ExitCode::input, "--model supervised: all labels are {}", targets.classes.front());
    const std::int64_t views = problem.pairing.views;
    const std::int64_t width = std::ssize(targets.classes);
    targets.y = make_block_vector(study.comm, problem.samples, width, views);
    std::fill(targets.y.data.begin(), targets.y.data.end(), -1 / static_cast<double>(width));
    for (std::int64_t i = targets.y.range.begin; i < targets.y.range.end; ++i) {
      const std::int64_t label = targets.labels[static_cast<std::size_t>(i / views)];
      const auto at = std::lower_bound(targets.classes.begin(), targets.classes.end(), label);
      targets.y.local()(at - targets.classes.begin(), i - targets.y.range.begin) += 1;
    }
    return targets;
  });
}

Eigenpairs eigenpairs_of_kernel(const Study& study) {
  const Problem& problem = *study.problem;
  const DistMatrix k = kernel_matrix(problem, study.report);
  const auto times = [&](const DistMatrix& v) {
    DistMatrix result(v.shared_grid(), k.rows(), v.cols(), v.block());
    multiply(1, Transpose::no, k, Transpose::no, v, result);
    return result;
  };
  return study.report.stage("eigenvectors of K", 0, [&](const auto&) {
    return largest_eigenpairs({[&] { return k.clone(); }, times}, problem.samples);
  });
}

double distance(const BlockVector& f, const BlockVector& g, const Communicator& comm) {
  double total = 0;
  for (std::size_t i = 0; i < f.data.size(); ++i) total += (f.data[i] - g.data[i]) * (f.data[i] - g.data[i]);
  return std::sqrt(sum(comm, total));
}

std::vector<FixedDataset> datasets_of(const Study& study, const Targets& targets, const SupervisedModes& modes,
                                      const TrainingStart& start, std::int64_t recorded) {
  const std::int64_t n = std::ssize(modes.lambda);
  std::vector<FixedDataset> datasets = sample_scales(*study.problem, targets.y.width);
  datasets.push_back(number_scale("mode", "number of an eigenvector of K, by descending eigenvalue", 1, recorded));
  datasets.push_back(number_scale("eigenvalue", "number of an eigenvalue of K, descending", 1, n));
  const auto count = static_cast<hsize_t>(n);
  datasets.push_back({{"/data/class", "1", "label that each output stands for", {"/output"}},
                      {targets.classes.size()},
                      targets.classes,
                      ""});
  datasets.push_back(
      {{"/data/labels", "1", "class label of each pair", {"/pair"}}, {targets.labels.size()}, targets.labels, ""});
  datasets.push_back(
      fixed({"/supervised/eigenvalues", "units of k", "eigenvalues of K", {"/eigenvalue"}}, {count}, modes.lambda));
  datasets.push_back(fixed({"/supervised/label_alignment",
                            "1",
                            "|v_i . y|^2 over all outputs, v_i being the eigenvectors of K",
                            {"/eigenvalue"}},
                           {count}, modes.alignment));
  const Complexity found = complexity(modes, noise_floor(n, modes.lambda.front()));
  datasets.push_back(
      fixed({"/supervised/complexity", "1 / sqrt(units of k)", "sqrt(2 y^T K^-1 y / N) over all outputs", {}}, {},
            {found.value}));
  datasets.push_back(fixed({"/supervised/unreachable",
                            "1",
                            "part of |y|^2 along eigenvectors whose eigenvalues are rounding, left out of complexity",
                            {}},
                           {}, {found.unreachable}));
  for (FixedDataset& dataset : start_datasets(start, targets.y.width, study.problem->pairing.views)) {
    datasets.push_back(std::move(dataset));
  }
  return datasets;
}

}  // namespace

void simulate_supervised(const Study& study) {
  const SimulateConfig& config = study.config;
  const Communicator& comm = study.comm;
  const Problem& problem = *study.problem;
  const Targets targets = targets_of(study);
  const BlockVector& y = targets.y;
  const auto samples = static_cast<double>(problem.samples);
  const std::int64_t recorded = std::min(*config.problem.modes, problem.samples);

  // The closed form.
  const Eigenpairs eigenpairs = eigenpairs_of_kernel(study);
  const TrainingKernel kernel(problem, study.report);
  const TrainingStart start = kernel_start(config, problem, kernel, y.width);
  const SupervisedModes modes = supervised_modes(eigenpairs, start.outputs, y, comm, problem.pairing.views);
  const double stable = supervised_stable_rate(modes.lambda.front(), problem.samples);
  const std::optional<double> rate = learning_rate(config, stable);
  check_rate(study, rate, stable, "2 N / lambda_1");
  const double slowest = std::max(modes.lambda[static_cast<std::size_t>(recorded - 1)], 1e-12 * modes.lambda.front());
  const Schedule schedule = attempt(
      comm, [&] { return spread_moments(config, samples / modes.lambda.front(), 5 * samples / slowest, rate); });
  const auto decay_at = [&](std::int64_t record) {
    const Moment& moment = schedule.moments[static_cast<std::size_t>(record)];
    return rate ? descent_decay(modes, *rate, moment.step) : flow_decay(modes, moment.time);
  };

  // The trained model.
  const auto run = std::make_shared<DynamicsRun>();
  run->dynamics = supervised_dynamics(kernel.product(), start.outputs, y, comm);
  run->training.x.resize(start.outputs.data.size());
  const auto outputs_now = [&] {
    BlockVector f = start.outputs;
    kernel.product()(run->state(), f.local());
    for (std::size_t i = 0; i < f.data.size(); ++i) f.data[i] += start.outputs.data[i];
    return f;
  };
  std::vector<Simulation> simulations{simulation_of(run, config, rate)};
  Simulation& simulation = simulations.front();
  simulation.advice = divergence_advice(config, rate, stable, "2 N / lambda_1");
  const auto count = static_cast<hsize_t>(recorded);
  const std::string residual = "|v_i . (f - y)| over all outputs, v_i being the eigenvectors of K";
  simulation.recorded = {{{"/predicted/loss", "1", "loss that the closed form gives", {}}, {}},
                         {{"/difference/loss", "1", "measured - predicted loss", {}}, {}},
                         {{"/measured/residual", "1", residual, {"/mode"}}, {count}},
                         {{"/predicted/residual", "1", residual + ", in closed form", {"/mode"}}, {count}}};
  simulation.measure = [&](std::int64_t record) {
    const BlockVector f = outputs_now();
    const std::vector<double> decay = decay_at(record);
    const double left = distance(f, y, comm);
    Measurement seen{left * left / (2 * samples), {}, {}};
    const double predicted = supervised_loss(modes, decay);
    seen.more = {std::vector<double>{predicted}, std::vector<double>{seen.loss - predicted},
                 residuals_along(modes, f, y, recorded, comm), supervised_residuals(modes, decay, recorded)};
    return seen;
  };
  if (config.record.embeddings > 0) {
    const std::vector<hsize_t> shape{static_cast<hsize_t>(problem.pairing.views),
                                     static_cast<hsize_t>(problem.samples / problem.pairing.views),
                                     static_cast<hsize_t>(y.width)};
    const std::vector<std::string> scales{"/view", "/pair", "/output"};
    simulation.pictured = {{{"/measured/outputs", "1", "f(x, t) of all views of every pair", scales}, shape},
                           {{"/predicted/outputs", "1", "the same in closed form", scales}, shape},
                           {{"/difference/outputs", "1", "norm of measured - predicted outputs", {}}, {}}};
  }
  simulation.pictures = [&](std::int64_t record) {
    BlockVector f = outputs_now();
    BlockVector predicted = supervised_outputs(modes, y, decay_at(record));
    const double apart = distance(f, predicted, comm);
    return std::vector<Entry>{std::move(f), std::move(predicted), std::vector<double>{apart}};
  };

  std::string text;
  const auto finish = [&](const std::vector<History>& histories) {
    const Complexity found = complexity(modes, noise_floor(problem.samples, modes.lambda.front()));
    const std::vector<double>& loss = histories.front().loss;
    double apart = 0;
    for (std::size_t i = 0; i < loss.size(); ++i) {
      apart = std::max(apart, std::abs(loss[i] - supervised_loss(modes, decay_at(static_cast<std::int64_t>(i)))));
    }
    text = fmt::format(
        "{} classes; loss {:.6g} at the start, {:.6g} at the end, at most {:.2e} beside the closed form\n"
        "complexity sqrt(2 y^T K^-1 y / N) = {:.6g}; the first {} eigenvectors of K have {:.4f} of |y|^2\n",
        y.width, loss.front(), loss.back(), apart, found.value, recorded,
        std::accumulate(modes.alignment.begin(), modes.alignment.begin() + recorded, 0.0) /
            std::accumulate(modes.alignment.begin(), modes.alignment.end(), 0.0));
    return Epilogue{};
  };
  std::vector<FixedDataset> datasets = datasets_of(study, targets, modes, start, recorded);
  const std::int64_t size =
      train(begin_record(study, 0, std::move(datasets)), simulations, schedule, study.checkpoint, study.report, finish);
  conclude(study, size, text);
}

}  // namespace stepwise
