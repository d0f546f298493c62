#include "training_start.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "solve_plan.hpp"
#include "stepwise/core/random.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/io/input_file.hpp"
#include "stepwise/kernel/evaluate.hpp"
#include "stepwise/theory/centring.hpp"

namespace stepwise {
namespace {

/// FILE and /dataset of FILE:/dataset.
struct Place {
  std::string file;
  std::string dataset;
};

Place place_of(const std::string& text) {
  const auto colon = text.rfind(":/");
  if (colon == std::string::npos || colon == 0) {
    fail(ExitCode::input, "--training.start {}: must be FILE:/DATASET, an HDF5 file and a dataset in it", text);
  }
  return {text.substr(0, colon), text.substr(colon + 1)};
}

void check_shape(InputFile& file, const Place& place, const std::vector<std::int64_t>& wanted,
                 const std::string& meaning) {
  const std::vector<std::int64_t> found = file.extents(place.dataset);
  if (found == wanted) return;
  throw CollectiveError(ExitCode::input,
                        fmt::format("--training.start {}:{}: is {}, must be {}: {}", place.file, place.dataset,
                                    found.empty() ? "a single number" : fmt::format("{}", fmt::join(found, " x ")),
                                    fmt::join(wanted, " x "), meaning));
}

void check_finite(const Communicator& comm, const std::string& start, const std::vector<double>& numbers) {
  attempt(comm, [&] {
    if (!std::all_of(numbers.begin(), numbers.end(), [](double x) { return std::isfinite(x); })) {
      fail(ExitCode::input, "--training.start {}: has numbers that are not finite", start);
    }
  });
}

/// Rows in the paper's order, first views first, dealt out pair by pair.
BlockVector given_outputs(const SimulateConfig& config, const Problem& problem, std::int64_t d) {
  const std::int64_t views = problem.pairing.views;
  const Place place = attempt(problem.comm, [&] { return place_of(config.training.start); });
  InputFile file(problem.comm, place.file);
  check_shape(file, place, {problem.samples, d}, "f_0 of all samples, first views first, by outputs of the model");
  BlockVector f0 = attempt(problem.comm, [&] { return make_block_vector(problem.comm, problem.samples, d, views); });
  const Range pairs{f0.range.begin / views, f0.range.end / views};
  std::vector<double> rows(static_cast<std::size_t>(d * pairs.size()));
  for (std::int64_t view = 0; view < views; ++view) {
    const std::int64_t first = view * (problem.samples / views);
    file.read_rows(place.dataset, {first + pairs.begin, first + pairs.end}, {rows.data(), d, pairs.size(), d});
    for (std::int64_t i = 0; i < pairs.size(); ++i) {
      std::copy_n(rows.data() + i * d, d, f0.local().column(i * views + view));
    }
  }
  check_finite(problem.comm, config.training.start, f0.data);
  return f0;
}

std::vector<double> given_weights(const SimulateConfig& config, const Problem& problem, std::int64_t d) {
  const std::int64_t m = problem.features;
  const Place place = attempt(problem.comm, [&] { return place_of(config.training.start); });
  InputFile file(problem.comm, place.file);
  check_shape(file, place, {d, m}, "W(0), outputs of the model by features of a sample");
  const std::vector<double> rows = file.numbers(place.dataset);
  check_finite(problem.comm, config.training.start, rows);
  std::vector<double> weights(rows.size());
  for (std::int64_t i = 0; i < d; ++i) {
    for (std::int64_t k = 0; k < m; ++k) {
      weights[static_cast<std::size_t>(i + k * d)] = rows[static_cast<std::size_t>(i * m + k)];
    }
  }
  return weights;
}

BlockVector outputs_of(const Problem& problem, const std::vector<double>& weights, std::int64_t d, const Samples& own) {
  return attempt(problem.comm, [&] {
    BlockVector f0 = make_block_vector(problem.comm, problem.samples, d, problem.pairing.views);
    f0.data = read_out(weights, d, own);
    return f0;
  });
}

double square(const std::vector<double>& x) {
  return std::inner_product(x.begin(), x.end(), x.begin(), 0.0);
}

}  // namespace

std::vector<double> draw_weights(std::int64_t seed, double alpha, std::int64_t rows, Range columns) {
  constexpr std::int64_t most_rows = std::int64_t{1} << 20;
  if (rows > most_rows) fail(ExitCode::input, "--modes is {}: at most {} outputs can be trained", rows, most_rows);
  std::vector<double> weights;
  weights.reserve(static_cast<std::size_t>(rows * columns.size()));
  for (std::int64_t column = columns.begin; column < columns.end; ++column) {
    for (std::int64_t row = 0; row < rows; ++row) {
      RandomStream stream(static_cast<std::uint64_t>(seed), Purpose::weight, column * most_rows + row);
      weights.push_back(alpha * stream.normal());
    }
  }
  return weights;
}

std::vector<double> read_out(const std::vector<double>& weights, std::int64_t outputs, const Samples& samples) {
  std::vector<double> f(static_cast<std::size_t>(outputs * samples.count));
  gemm(1, Transpose::no, {weights.data(), outputs, samples.features, outputs}, Transpose::no,
       {samples.data.data(), samples.features, samples.count, samples.features}, 0,
       {f.data(), outputs, samples.count, outputs});
  return f;
}

TrainingStart linear_start(const SimulateConfig& config, const Problem& problem, const Samples& own, std::int64_t d) {
  TrainingStart start;
  start.weights = !config.training.start.empty() ? given_weights(config, problem, d) : attempt(problem.comm, [&] {
    return draw_weights(config.problem.seed, config.problem.dynamics.alpha, d, {0, problem.features});
  });
  start.outputs = outputs_of(problem, start.weights, d, own);
  return start;
}

TrainingStart kernel_start(const SimulateConfig& config, const Problem& problem, const TrainingKernel& kernel,
                           std::int64_t d) {
  const Communicator& comm = problem.comm;
  TrainingStart start;
  if (!config.training.start.empty()) {
    start.outputs = given_outputs(config, problem, d);
    return start;
  }
  if (has_features(config.problem) && !problem.centring) return linear_start(config, problem, kernel.own(), d);
  attempt(comm, [&] {
    start.dual = make_block_vector(comm, problem.samples, d, problem.pairing.views);
    start.dual.data = draw_weights(config.problem.seed, 1, d, start.dual.range);
    start.outputs = make_block_vector(comm, problem.samples, d, problem.pairing.views);
  });
  if (problem.centring) centre(*problem.centring, comm, start.dual);
  kernel.product()(start.dual.local(), start.outputs.local());
  const auto lengths = attempt(comm, [&] {
    return diagonal(problem.kernel, kernel.own(), {0, start.outputs.range.size()});
  });
  const double wanted = static_cast<double>(d) * sum(comm, std::accumulate(lengths.begin(), lengths.end(), 0.0));
  const double found = sum(comm, square(start.outputs.data));
  const std::vector<double> factors(static_cast<std::size_t>(d),
                                    found > 0 ? config.problem.dynamics.alpha * std::sqrt(wanted / found) : 0);
  scale_vectors(start.dual, factors);
  scale_vectors(start.outputs, factors);
  return start;
}

}  // namespace stepwise
