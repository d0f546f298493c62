#include "correlation_simulation.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/sim/flow.hpp"
#include "stepwise/theory/centring.hpp"
#include "stepwise/theory/embedding.hpp"

namespace stepwise {
namespace {

/// ||f - g|| / ||g|| over all samples.
double relative_distance(const BlockVector& f, const BlockVector& g, const Communicator& comm) {
  std::vector<double> sums(2);
  for (std::size_t i = 0; i < f.data.size(); ++i) {
    sums[0] += (f.data[i] - g.data[i]) * (f.data[i] - g.data[i]);
    sums[1] += g.data[i] * g.data[i];
  }
  sum(comm, sums);
  return std::sqrt(sums[0] / sums[1]);
}

MatrixView<const double> state_of(const CorrelationRun& run) {
  return {run.training.x.data(), run.model.outputs, run.model.columns, run.model.outputs};
}

Measurement measure(const CorrelationRun& run) {
  const std::int64_t d = run.model.outputs;
  std::vector<double> y(run.training.x.size());
  const Moments moments = run.model.apply(state_of(run), {y.data(), d, run.model.columns, d});
  const MatrixView<const double> c{moments.c.data(), d, d, d};
  return attempt(*run.model.comm, [&] { return Measurement{evaluate(run.objective.loss, c).loss, spectrum(c), {}}; });
}

/// This rank's part of a state: its own where columns are dealt out, rank 0's where all have the same.
void save(const CorrelationRun& run, CheckpointWriter& writer) {
  const std::int64_t columns = run.model.shared ? 0 : run.model.columns;
  const auto [first, all] = [&] {
    std::int64_t before = 0;
    MPI_Exscan(&columns, &before, 1, MPI_INT64_T, MPI_SUM, run.model.comm->raw());
    return std::pair(run.model.comm->rank() == 0 ? 0 : before, sum(*run.model.comm, columns));
  }();
  writer.counts("/training/steps", std::vector<std::int64_t>{run.training.steps});
  writer.numbers("/training/numbers",
                 std::vector<double>{run.training.time, run.training.step_size, run.training.start_loss.value_or(-1)});
  if (run.model.shared) {
    writer.numbers("/training/x", run.training.x);
  } else {
    writer.rows("/training/x", all, {first, first + columns}, state_of(run));
  }
}

void load(CorrelationRun& run, CheckpointReader& reader) {
  Training& training = run.training;
  training.steps = reader.counts("/training/steps").at(0);
  const std::vector<double> numbers = reader.numbers("/training/numbers");
  training.time = numbers.at(0);
  training.step_size = numbers.at(1);
  if (numbers.at(2) >= 0) training.start_loss = numbers.at(2);
  if (run.model.shared) {
    training.x = reader.numbers("/training/x");
    return;
  }
  std::int64_t first = 0;
  MPI_Exscan(&run.model.columns, &first, 1, MPI_INT64_T, MPI_SUM, run.model.comm->raw());
  if (run.model.comm->rank() == 0) first = 0;
  reader.rows("/training/x", {first, first + run.model.columns},
              {training.x.data(), run.model.outputs, run.model.columns, run.model.outputs});
}

Advance descend_towards(CorrelationRun& run, double rate, const Moment& end) {
  if (run.training.steps >= end.step) return {};
  const Outcome outcome = descend(run.dynamics, rate, 1, run.training);
  return {outcome.diverged ? Way::diverged : Way::under_way, outcome.loss};
}

Advance flow_towards(CorrelationRun& run, double tolerance, const Moment& end) {
  constexpr std::int64_t steps_a_turn = 8;  // each turn costs one velocity more
  if (run.training.time >= end.time) return {};
  const Outcome outcome = flow(run.dynamics, tolerance, end.time, run.training, steps_a_turn);
  return {outcome.diverged ? Way::diverged : Way::under_way, outcome.loss};
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
  run->dynamics = correlation_dynamics(std::move(model), objective);
  run->objective = objective;
  run->training.x = std::move(start);
  return run;
}

Simulation correlation_simulation(const std::shared_ptr<CorrelationRun>& run, const std::string& loss,
                                  const SimulateConfig& config, const std::optional<double>& rate) {
  const bool alone = loss_names(config).size() == 1;
  Simulation simulation;
  simulation.group = alone ? "" : "/" + loss;
  simulation.name = loss == "plain" ? "training" : "training by the " + loss + " loss";
  simulation.now = [run] { return Moment{run->training.steps, run->training.time}; };
  simulation.advance = [run, rate, tolerance = config.training.tolerance](const Moment& end) {
    return rate ? descend_towards(*run, *rate, end) : flow_towards(*run, tolerance, end);
  };
  simulation.measure = [run](std::int64_t) { return measure(*run); };
  simulation.save = [run](CheckpointWriter& writer) { save(*run, writer); };
  simulation.load = [run](CheckpointReader& reader) { load(*run, reader); };
  return simulation;
}

std::function<BlockVector(const CorrelationRun&)> linear_embedder(const Problem& problem, Range tests) {
  return [&problem, tests](const CorrelationRun& run) {
    return attempt(problem.comm, [&] {
      BlockVector f = make_block_vector(problem.comm, tests.size(), run.model.outputs, 1);
      const Samples samples = load_tests(problem, {tests.begin + f.range.begin, tests.begin + f.range.end});
      f.data = read_out(run.training.x, run.model.outputs, samples);
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
    embedder.weights.data = run.training.x;
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
                       const Prediction* prediction) {
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
  simulation.pictures = [run, &problem, &final_embedding, &tests, prediction](std::int64_t record) {
    std::vector<Entry> entries;
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
    BlockVector own = final_embedding;
    run->model.embed(state_of(*run), own.local());
    add(std::move(own), final_embedding);
    for (const NewSamples& samples : tests) add(samples.embed(*run), samples.final_embedding);
    return entries;
  };
}

}  // namespace stepwise
