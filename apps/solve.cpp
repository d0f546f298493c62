#include "solve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>

#include "solve_output.hpp"
#include "solve_plan.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/core/memory.hpp"
#include "stepwise/data/pairs.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/io/result_file.hpp"
#include "stepwise/kernel/assemble.hpp"
#include "stepwise/kernel/kernel_product.hpp"
#include "stepwise/theory/contrastive.hpp"
#include "stepwise/theory/embedding.hpp"
#include "stepwise/theory/pairing.hpp"
#include "stepwise/theory/timescales.hpp"

namespace stepwise {
namespace {

/// What is given: positive pairs, a kernel, and where K would live.
struct Problem {
  const Communicator& comm;
  const SolveConfig& config;
  const PairSource& pairs;
  Kernel kernel;
  std::shared_ptr<const ProcessGrid> grid;
  Layout layout;
  std::int64_t features = 0;
  std::int64_t samples = 0;
};

/// Mean and deviation over all pairs, each rank looking at its share of them.
void standardise_pairs(const Communicator& comm, PairSource& pairs) {
  const std::int64_t n = pair_count(pairs);
  const Range share = even_share(n, comm.size(), comm.rank());
  std::vector<double> moments;
  attempt(comm, [&] {
    const std::vector<double> own = pair_moments(pairs, share);
    const std::size_t per_pair = share.size() > 0 ? own.size() / static_cast<std::size_t>(share.size()) : 0;
    moments.assign(own.begin(), own.end());
    moments.insert(moments.begin(), static_cast<std::size_t>(share.begin) * per_pair, 0);
  });
  const std::int64_t whole = max(comm, static_cast<std::int64_t>(moments.size()));
  moments.resize(static_cast<std::size_t>(whole));
  sum(comm, moments);  // each entry is non-zero on one rank only: exact on any number of ranks
  attempt(comm, [&] {
    const std::int64_t channels = whole / n / 2;
    set_standardisation(pairs, standardise(moments, channels, moment_pixels(pairs)));
  });
}

/// The samples with the given numbers, ready for the kernel.
Samples load_samples(const PairSource& pairs, std::int64_t features, const std::vector<std::int64_t>& numbers) {
  const auto count = static_cast<std::int64_t>(numbers.size());
  std::vector<double> data(static_cast<std::size_t>(features * count));
  read_samples(pairs, numbers, {data.data(), features, count, features});
  return make_samples(features, std::move(data));
}

Samples load_tests(const PairSource& pairs, std::int64_t features, Range range) {
  std::vector<double> data(static_cast<std::size_t>(features * range.size()));
  read_tests(pairs, range, {data.data(), features, range.size(), features});
  return make_samples(features, std::move(data));
}

std::vector<std::int64_t> local_numbers(const BlockCyclic& map, int proc) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t l = 0; l < map.local_count(proc); ++l) numbers.push_back(value(map.to_global(Local{l}, proc)));
  return numbers;
}

/// Training samples [begin, end).
Samples load_range(const Problem& problem, Range range) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(range.size()));
  std::iota(numbers.begin(), numbers.end(), range.begin);
  return load_samples(problem.pairs, problem.features, numbers);
}

/// The training samples of this rank's share. Collective.
Samples load_share(const Problem& problem) {
  return attempt(problem.comm,
                 [&] { return load_range(problem, sample_share(problem.comm, problem.samples, views_per_pair)); });
}

DistMatrix kernel_matrix(const Problem& problem, Report& report) {
  const std::pair<Samples, Samples> parts = report.stage("read samples, make views", 0, [&](const auto&) {
    return attempt(problem.comm, [&] {
      return std::pair(
          load_samples(problem.pairs, problem.features, local_numbers(problem.layout.rows, problem.grid->row())),
          load_samples(problem.pairs, problem.features, local_numbers(problem.layout.cols, problem.grid->col())));
    });
  });
  const auto samples = static_cast<double>(problem.samples);
  return report.stage("kernel matrix", samples * samples * static_cast<double>(problem.features),
                      [&](const Progress& progress) {
                        return assemble(problem.kernel, parts.first, parts.second, problem.grid, problem.samples,
                                        problem.layout.rows.block, progress);
                      });
}

/// The modes by a direct `method`; auto goes on from cholesky to spectral where it does not reach its accuracy.
ContrastiveModes modes_of_matrix(const Problem& problem, const DistMatrix& k, std::string& method, Report& report) {
  const SolveConfig& config = problem.config;
  try {
    return contrastive_modes(k, config.modes, method == "spectral" ? Factorisation::spectral : Factorisation::cholesky);
  } catch (const CollectiveError& error) {
    if (config.solver.method != "auto" || error.code() != ExitCode::numerical) throw;
    report.note(fmt::format("{}; going on with --solver.method spectral", error.what()));
  }
  method = "spectral";
  return contrastive_modes(k, config.modes, Factorisation::spectral);
}

/// The leading modes of every so many pairs, extended to all samples by the out-of-sample formula.
BlockVector modes_of_subsample(const Problem& problem, std::int64_t pairs, const KrylovOptions& options) {
  const std::int64_t n = problem.samples / views_per_pair;
  const std::int64_t samples = views_per_pair * pairs;
  const Range own = sample_share(problem.comm, samples, views_per_pair);
  const Samples part = attempt(problem.comm, [&] {
    std::vector<std::int64_t> numbers;
    for (std::int64_t i = own.begin; i < own.end; ++i) {
      numbers.push_back(views_per_pair * (i / views_per_pair * n / pairs) + i % views_per_pair);
    }
    return load_samples(problem.pairs, problem.features, numbers);
  });
  KernelProduct<double> product(problem.kernel, part, problem.comm, samples, views_per_pair);
  product.store({});
  KrylovPairs modes = krylov_pairs(problem.comm, contrastive_operator(samples, std::cref(product)), options);
  const Embedding embedding{std::move(modes.values), std::move(modes.vectors), std::move(modes.kernel_vectors)};
  BlockVector extended = embed(problem.kernel, embedding, part, problem.comm, problem.samples,
                               [&](Range batch) { return load_range(problem, batch); }, views_per_pair);
  swap_views(extended.local());  // a = P f / N gamma^{1/2}
  return extended;
}

/// The modes by products with K, of which as much is stored as --kernel.storage says.
ContrastiveModes modes_by_products(const Problem& problem, Report& report) {
  const Communicator& comm = problem.comm;
  const SolveConfig& config = problem.config;
  const std::string& storage = config.kernel.storage;
  const Samples own = report.stage("read samples, make views", 0, [&](const auto&) { return load_share(problem); });
  KernelProduct<double> exact(problem.kernel, own, comm, problem.samples, views_per_pair);
  SingleSamples single;
  KernelProduct<float> rough(problem.kernel, single, comm, problem.samples, views_per_pair);
  if (storage != "double") attempt(comm, [&] { single = to_single(own); });
  if (storage != "none") {
    const auto samples = static_cast<double>(problem.samples);
    report.stage("kernel matrix", samples * samples * static_cast<double>(problem.features),
                 [&](const Progress& progress) { storage == "double" ? exact.store(progress) : rough.store(progress); });
  }
  KrylovOptions options = krylov_options(config);
  BlockVector start;
  if (subsample_pairs(config) > 0) {
    start = report.stage("modes of a subsample", 0, [&](const auto&) {
      return modes_of_subsample(problem, subsample_pairs(config), subsample_options(config, problem.samples));
    });
    options.start = &start;
  }
  const KernelOperator t = storage == "double"
                               ? contrastive_operator(problem.samples, std::cref(exact))
                               : contrastive_operator(problem.samples, std::cref(exact), std::cref(rough));
  ContrastiveModes modes = report.stage("modes", 0, [&](const Progress& progress) {
    options.progress = progress;
    return krylov_modes(comm, t, options);
  });
  report.split_last(modes.stages);
  modes.mean_pair_kernel = mean_pair_kernel(problem.kernel, own, problem.samples, comm);
  return modes;
}

void find_modes(const Problem& problem, SolveResult& result, Report& report) {
  if (result.method == "krylov") {
    result.modes = modes_by_products(problem, report);
  } else {
    const DistMatrix k = kernel_matrix(problem, report);
    result.modes =
        report.stage("modes", 0, [&](const auto&) { return modes_of_matrix(problem, k, result.method, report); });
    report.split_last(result.modes.stages);
  }
  for (const std::string& text : result.modes.notes) report.note(text);
}

BlockVector embed_tests(const Problem& problem, const Embedding& embedding, Report& report) {
  const std::int64_t count = test_count(problem.pairs);
  if (count == 0) return {};
  const double flops = 2.0 * static_cast<double>(problem.samples * problem.features) * static_cast<double>(count);
  return report.stage("test embeddings", flops, [&](const auto&) {
    return embed(problem.kernel, embedding, load_share(problem), problem.comm, count,
                 [&](Range batch) { return load_tests(problem.pairs, problem.features, batch); });
  });
}

/// When each mode is learned, and what is seen meanwhile.
void predict_training(const SolveConfig& config, SolveResult& result) {
  const std::vector<double>& gamma = result.embedding.gamma;
  result.s0 = small_random_initialisation(config.dynamics.alpha, config.modes);
  for (std::size_t j = 0; j < gamma.size(); ++j) {
    result.tau.push_back(timescale(gamma[j], result.s0[j]));
    result.half_rise.push_back(half_rise(gamma[j], result.s0[j]));
  }
  result.trajectory =
      trajectory(gamma, result.s0, time_grid(gamma, result.s0, config.dynamics.points, config.dynamics.t_max));
  if (!std::isfinite(result.trajectory.loss.front())) {
    throw CollectiveError(
        ExitCode::input,
        fmt::format("--dynamics.alpha is {}: with gamma_1 = {:.3g} training starts at lambda_1 = {:.3g}, whose loss "
                    "overflows; small initial weights have lambda_1 far below 1",
                    config.dynamics.alpha, gamma.front(), result.trajectory.lambda.front()));
  }
}

/// Checks what only the data can tell, and lays K out. Collective.
Problem pose(const Communicator& comm, SolveConfig& config, const PairSource& pairs) {
  const std::int64_t n = pair_count(pairs);
  const std::int64_t samples = views_per_pair * n;
  const std::int64_t features = sample_shape(pairs).size();
  const auto [kernel, shape] = attempt(comm, [&] {
    if (config.modes > n) {
      fail(ExitCode::input, "--modes is {}, but {} pairs (2n = {} samples) have at most {} positive modes",
           config.modes, n, samples, n);
    }
    return std::pair(make_kernel(config, features), grid_shape(config, comm.size()));
  });
  const auto grid = ProcessGrid::create(comm, shape);
  const std::int64_t block =
      fitting_block(samples, std::max(shape.rows, shape.cols), config.solver.block_size, views_per_pair);
  return {comm, config, pairs, kernel, grid, kernel_layout(*grid, samples, block), features, samples};
}

}  // namespace

void solve(const Communicator& comm, SolveConfig config, const std::string& command) {
  Report report(comm);
  check_output(comm, config.output, config.force, {config.data.path});
  PairSource pairs =
      report.stage("open data", 0, [&](const auto&) { return attempt(comm, [&] { return open_pairs(config); }); });
  const Problem problem = pose(comm, config, pairs);
  SolveResult result;
  result.method = choose_method(config, problem.samples);
  check_memory(comm, config, result.method, problem.layout, problem.features);
  if (*config.data.standardize) {
    report.stage("standardise", 0, [&](const auto&) { standardise_pairs(comm, pairs); });
  }

  find_modes(problem, result, report);
  result.embedding = training_embedding(result.modes, comm);
  result.whiteness_error = whiteness_error(result.embedding, comm);
  result.test = embed_tests(problem, result.embedding, report);
  predict_training(config, result);

  const std::int64_t size = report.stage("write", 0, [&](const auto&) {
    return write_result({comm, config, command, pairs, describe(problem.kernel), *problem.grid,
                         problem.layout.rows.block, report.stages()},
                        result);
  });
  const std::string timing = report.timing_table();
  if (comm.rank() == 0) {
    fmt::print("{}\n{}\n{} written, {}\n", modes_table(result), timing, config.output,
               format_bytes(static_cast<double>(size)));
  }
}

}  // namespace stepwise
