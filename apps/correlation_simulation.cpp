#include "correlation_simulation.hpp"

#include <fmt/format.h>

#include <numeric>

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/theory/centring.hpp"
#include "stepwise/theory/embedding.hpp"

namespace stepwise {
namespace {

Measurement measure(const CorrelationRun& run) {
  const std::int64_t d = run.model.outputs;
  std::vector<double> y(run.moving.training.x.size());
  const Moments moments = run.model.apply(run.moving.state(), {y.data(), d, run.model.columns, d});
  const MatrixView<const double> c{moments.c.data(), d, d, d};
  return attempt(*run.model.comm, [&] { return Measurement{evaluate(run.objective.loss, c).loss, spectrum(c), {}}; });
}

}  // namespace

Objective objective_of(const SimulateConfig& config, const std::string& name) {
  Objective objective;
  if (name == "sharpened") objective.loss.shaping = Shaping::sharpened;
  if (name == "smoothed") objective.loss = {Shaping::smoothed, config.training.epsilon};
  if (name == "quartic") objective.loss.shaping = Shaping::quartic;
  if (name == "preconditioned") objective.preconditioning = config.training.damping;
  return objective;
}

std::shared_ptr<CorrelationRun> begin_run(MatrixModel model, std::vector<double> start, const Objective& objective) {
  auto run = std::make_shared<CorrelationRun>();
  run->model = model;
  run->objective = objective;
  run->moving.shared = model.shared;
  run->moving.dynamics = correlation_dynamics(std::move(model), objective);
  run->moving.training.x = std::move(start);
  return run;
}

Simulation correlation_simulation(const std::shared_ptr<CorrelationRun>& run, const std::string& loss,
                                  const SimulateConfig& config, const std::optional<double>& rate) {
  const bool alone = loss_names(config).size() == 1;
  Simulation simulation = simulation_of(std::shared_ptr<DynamicsRun>(run, &run->moving), config, rate);
  if (!alone) simulation.group = "/" + loss;
  if (loss != "plain") simulation.name += " by the " + loss + " loss";
  simulation.measure = [run](std::int64_t) { return measure(*run); };
  return simulation;
}

std::function<BlockVector(const CorrelationRun&)> linear_embedder(const Problem& problem, Range tests) {
  return [&problem, tests](const CorrelationRun& run) {
    return attempt(problem.comm, [&] {
      BlockVector f = make_block_vector(problem.comm, tests.size(), run.model.outputs, 1);
      const Samples samples = load_tests(problem, {tests.begin + f.range.begin, tests.begin + f.range.end});
      f.data = read_out(run.moving.training.x, run.model.outputs, samples);
      return f;
    });
  };
}

std::function<BlockVector(const CorrelationRun&)> kernel_embedder(const Problem& problem, const TrainingKernel& kernel,
                                                                  const TrainingStart& start, const BlockVector& means,
                                                                  Range tests, std::size_t modality) {
  const std::size_t kind = problem.centring && problem.centring->kinds > 1 ? modality : 0;
  return [&problem, &kernel, &start, &means, tests, kind](const CorrelationRun& run) {
    const Communicator& comm = problem.comm;
    const std::int64_t d = run.model.outputs;
    EmbeddingWeights embedder{start.outputs, {}};
    embedder.weights.data = run.moving.training.x;
    if (start.dual.width > 0) {
      for (std::size_t i = 0; i < start.dual.data.size(); ++i) embedder.weights.data[i] += start.dual.data[i];
    }
    if (problem.centring) {
      centre(*problem.centring, comm, embedder.weights);
      embedder.offsets = centring_offsets(embedder.weights, means, comm);
    }
    const auto read = [&](Range batch) {
      return load_tests(problem, {tests.begin + batch.begin, tests.begin + batch.end});
    };
    BlockVector f = embed(problem.kernel, embedder, kernel.own(), comm, tests.size(), read, 1, kind);
    if (start.weights.empty()) return f;
    attempt(comm, [&] {
      const Samples own = read(f.range);
      const std::vector<double> before = read_out(start.weights, d, own);
      for (std::size_t i = 0; i < before.size(); ++i) f.data[i] += before[i];
    });
    return f;
  };
}

void record_embeddings(Simulation& simulation, const std::shared_ptr<CorrelationRun>& run, const Problem& problem,
                       const BlockVector& final_embedding, const std::vector<NewSamples>& tests,
                       const Prediction* prediction, const LabelProbe* probe) {
  const std::int64_t views = problem.pairing.views;
  const auto d = static_cast<hsize_t>(run->model.outputs);
  std::vector<SeriesDataset>& datasets = simulation.pictured;
  const auto describe = [&](const std::string& name, const std::string& what, const std::vector<std::string>& scales,
                            const std::vector<hsize_t>& extents) {
    datasets.push_back({{"/measured/" + name, "1", "f(x, t) of " + what, scales}, extents});
    if (prediction == nullptr) return;
    datasets.push_back({{"/predicted/" + name, "1", "U S(t) A^T k(x) (eq. 40) of " + what, scales}, extents});
    datasets.push_back(
        {{"/difference/" + name, "1", "norm of measured - predicted over that of predicted, of " + what, {}}, {}});
  };
  describe("embeddings", "all views of every pair", {"/view", "/pair", "/output"},
           {static_cast<hsize_t>(views), static_cast<hsize_t>(problem.samples / views), d});
  for (const NewSamples& samples : tests) {
    describe(samples.name, "the samples in " + samples.name, {"/" + samples.name + "_sample", "/output"},
             {static_cast<hsize_t>(samples.final_embedding.samples), d});
  }
  if (probe != nullptr) datasets.push_back(probe_dataset(*probe));
  simulation.pictures = [run, &problem, &final_embedding, &tests, prediction, probe](std::int64_t record) {
    std::vector<Entry> entries;
    std::vector<BlockVector> seen{final_embedding};
    run->model.embed(run->moving.state(), seen.front().local());
    for (const NewSamples& samples : tests) seen.push_back(samples.embed(*run));
    std::vector<double> accuracy;
    if (probe != nullptr) {
      accuracy.push_back(probe_accuracy(problem.comm, *probe, seen.front(), tests.empty() ? nullptr : &seen[1]));
    }
    const auto add = [&](BlockVector measured, const BlockVector& closed_form) {
      if (prediction == nullptr) {
        entries.emplace_back(std::move(measured));
        return;
      }
      BlockVector predicted = predicted_embeddings(*prediction, record, closed_form);
      const double apart = relative_distance(measured, predicted, problem.comm);
      entries.emplace_back(std::move(measured));
      entries.emplace_back(std::move(predicted));
      entries.emplace_back(std::vector<double>{apart});
    };
    add(std::move(seen.front()), final_embedding);
    for (std::size_t i = 0; i < tests.size(); ++i) add(std::move(seen[i + 1]), tests[i].final_embedding);
    if (probe != nullptr) entries.emplace_back(std::move(accuracy));
    return entries;
  };
}

}  // namespace stepwise
