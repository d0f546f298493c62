#include <cmath>

#include "correlation_simulation.hpp"
#include "simulate_output.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"
#include "study.hpp"

namespace stepwise {
namespace {

/// A(0): U^T W(0) with U such that it is upper triangular, its diagonal not negative.
struct AlignedWeights {
  InitialCondition start;
  std::vector<double> a;  ///< d x m column-major
};

AlignedWeights draw_aligned(const SimulateConfig& config, std::int64_t columns) {
  const std::int64_t d = *config.problem.modes;
  const std::vector<double> w = draw_weights(config.problem.seed, config.problem.dynamics.alpha, d, {0, columns});
  AlignedWeights drawn{align({w.data(), d, d, d}), std::vector<double>(w.size())};
  gemm(1, Transpose::yes, {drawn.start.u.data(), d, d, d}, Transpose::no, {w.data(), d, columns, d}, 0,
       {drawn.a.data(), d, columns, d});
  for (std::int64_t j = 0; j < d; ++j) {
    for (std::int64_t i = j + 1; i < d; ++i) drawn.a[static_cast<std::size_t>(i + j * d)] = 0;
    drawn.a[static_cast<std::size_t>(j * (d + 1))] = drawn.start.s0[static_cast<std::size_t>(j)];
  }
  std::fill(drawn.start.u.begin(), drawn.start.u.end(), 0.0);
  for (std::int64_t j = 0; j < d; ++j) drawn.start.u[static_cast<std::size_t>(j * (d + 1))] = 1;
  return drawn;
}

std::vector<double> by_rows(const std::vector<double>& a, std::int64_t d) {
  std::vector<double> rows;
  for (std::int64_t i = 0; i < d; ++i) {
    for (std::size_t at = static_cast<std::size_t>(i); at < a.size(); at += static_cast<std::size_t>(d)) {
      rows.push_back(a[at]);
    }
  }
  return rows;
}

/// s_j(t) on the diagonal, a_jk(0) (s_j(t) / s_j(0))^{gamma_k / gamma_j} above it (eq. 47), 0 below: d x m, by rows.
std::vector<double> predicted_a(const Prediction& prediction, const std::vector<double>& a0,
                                const std::vector<double>& gamma, std::int64_t record) {
  const std::size_t d = prediction.gamma.size();
  std::vector<double> a(d * gamma.size());
  for (std::size_t j = 0; j < d; ++j) {
    const double s = prediction.s[static_cast<std::size_t>(record) * d + j];
    a[j * gamma.size() + j] = s;
    for (std::size_t k = j + 1; k < gamma.size(); ++k) {
      a[j * gamma.size() + k] = a0[j + k * d] * std::pow(s / prediction.start.s0[j], gamma[k] / gamma[j]);
    }
  }
  return a;
}

}  // namespace

void simulate_system(const Study& study) {
  const SimulateConfig& config = study.config;
  const Communicator& comm = study.comm;
  const std::int64_t d = *config.problem.modes;
  const std::vector<double> gamma = system_gammas(config);
  const auto m = static_cast<std::int64_t>(gamma.size());
  const std::vector<double> leading(gamma.begin(), gamma.begin() + d);
  const AlignedWeights drawn = draw_aligned(config, m);
  const double stable = stable_rate(gamma.front());
  const std::optional<double> rate = learning_rate(config, stable);
  check_rate(study, rate, stable, "1 / (4 gamma_1)");
  const Schedule schedule = attempt(comm, [&] { return make_schedule(config, leading, drawn.start.s0, rate); });
  const Prediction prediction = predict(comm, leading, drawn.start, schedule, rate);
  warn_of_large_start(study, prediction);

  const auto run = begin_run(diagonal_model(gamma, d, comm), drawn.a, objective_of(config, "plain"));
  std::vector<Simulation> simulations{correlation_simulation(run, "plain", config, rate)};
  Simulation& simulation = simulations.front();
  record_prediction(simulation, prediction);
  const std::vector<hsize_t> shape{static_cast<hsize_t>(d), static_cast<hsize_t>(m)};
  const std::vector<std::string> scales{"/output", "/eigenvalue"};
  simulation.recorded.push_back(
      {{"/measured/a", "1 / sqrt(units of k)", "A(t), the weights seen in the modes", scales}, shape});
  simulation.recorded.push_back(
      {{"/predicted/a", "1 / sqrt(units of k)",
        "s_j on the diagonal, a_jk(0) (s_j(t) / s_j(0))^(gamma_k / gamma_j) above it, 0 below (eq. 46, 47)", scales},
       shape});
  simulation.measure = [measure = simulation.measure, run, &prediction, &drawn, &gamma, d](std::int64_t record) {
    Measurement seen = measure(record);
    seen.more.emplace_back(by_rows(run->moving.training.x, d));
    seen.more.emplace_back(predicted_a(prediction, drawn.a, gamma, record));
    return seen;
  };
  simulation.advice = divergence_advice(config, rate, stable, "1 / (4 gamma_1)");

  std::vector<FixedDataset> datasets{number_scale("output", "number of an output of the model", 1, d)};
  for (FixedDataset& dataset : predicted_datasets(gamma, prediction)) datasets.push_back(std::move(dataset));
  std::string text;
  const auto finish = [&](const std::vector<History>& histories) {
    text = comparison(histories.front(), prediction);
    return Epilogue{{}, measured_datasets("", histories.front(), &prediction, d)};
  };
  const std::int64_t size =
      train(begin_record(study, d, std::move(datasets)), simulations, schedule, study.checkpoint, study.report, finish);
  conclude(study, size, text);
}

}  // namespace stepwise
