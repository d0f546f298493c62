#include "solve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "solve_output.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/core/memory.hpp"
#include "stepwise/data/pairs.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/block_product.hpp"
#include "stepwise/io/result_file.hpp"
#include "stepwise/kernel/assemble.hpp"
#include "stepwise/kernel/recomputed_product.hpp"
#include "stepwise/theory/contrastive.hpp"
#include "stepwise/theory/embedding.hpp"
#include "stepwise/theory/pairing.hpp"
#include "stepwise/theory/timescales.hpp"

namespace stepwise {
namespace {

/// Block-cyclic layout of the N x N kernel matrix.
struct Layout {
  BlockCyclic rows;
  BlockCyclic cols;
  std::int64_t local_rows = 0;
  std::int64_t local_cols = 0;
};

Layout kernel_layout(const ProcessGrid& grid, std::int64_t n, std::int64_t block) {
  const BlockCyclic rows{n, block, grid.shape().rows};
  const BlockCyclic cols{n, block, grid.shape().cols};
  return {rows, cols, rows.local_count(grid.row()), cols.local_count(grid.col())};
}

/// What --solver.method auto stands for. Up to this many samples the whole spectrum costs seconds, and says more. Not a
/// function of the number of ranks: results must not depend on it.
constexpr std::int64_t whole_spectrum_samples = 2000;

std::string choose_method(const SolveConfig& config, std::int64_t samples) {
  if (config.solver.method != "auto") return config.solver.method;
  if (config.kernel.storage == "none") return "krylov";
  const bool krylov = samples > whole_spectrum_samples &&
                      2 * krylov_cost(samples, config.modes) < direct_cost(samples, Factorisation::cholesky);
  return krylov ? "krylov" : "cholesky";
}

/// Where a pass over K costs the same for one vector as for many, wide blocks save passes.
constexpr std::int64_t recomputed_block = 64;

KrylovOptions krylov_options(const SolveConfig& config) {
  return {.modes = config.modes, .tolerance = config.solver.tolerance, .seed = static_cast<std::uint64_t>(config.seed)};
}

/// Bytes that this rank will need at the peak.
double memory_needed(const SolveConfig& config, const std::string& method, const Layout& layout, std::int64_t features,
                     int ranks) {
  const double entries = static_cast<double>(layout.local_rows) * static_cast<double>(layout.local_cols);
  const double share = static_cast<double>(layout.rows.n) / ranks;
  const double inputs = static_cast<double>(layout.local_rows + layout.local_cols) * static_cast<double>(features);
  const double basis = 2.5 * static_cast<double>(krylov_sizes(layout.rows.n, krylov_options(config)).basis) * share;
  double numbers = 0;
  if (config.kernel.storage == "none") {
    numbers = (ranks == 1 ? 2.0 : 3.0) * static_cast<double>(features) * share + basis;
  } else if (method == "krylov") {
    numbers = entries + std::max(basis, inputs);
  } else {
    numbers = std::max(
        entries + inputs,
        entries * contrastive_matrices(method == "spectral" ? Factorisation::spectral : Factorisation::cholesky));
  }
  const double outputs =
      static_cast<double>(*config.data.test + 4 * layout.rows.n) * static_cast<double>(config.modes) / ranks;
  return 8 * (numbers + outputs);
}

/// Refuses at once what would die of memory after hours.
void check_memory(const Communicator& comm, const SolveConfig& config, const std::string& method, const Layout& layout,
                  std::int64_t features) {
  const double bytes = max(comm, memory_needed(config, method, layout, features, comm.size()));
  const std::int64_t ranks = max(comm, std::int64_t{ranks_on_node(comm)});
  const auto seen = available_memory();
  const std::int64_t unknown = std::numeric_limits<std::int64_t>::max();
  const std::int64_t available = min(comm, seen ? *seen / ranks : unknown);
  if (available != unknown && bytes > static_cast<double>(available)) {
    throw CollectiveError(
        ExitCode::memory,
        fmt::format("not enough memory for --data.pairs {} (2n = {} samples), --data.test {} and --modes {}: "
                    "--solver.method {} with --kernel.storage {} needs {} per rank, {} is available per rank; use more "
                    "nodes, less data{}",
                    *config.data.pairs, layout.rows.n, *config.data.test, config.modes, method, config.kernel.storage,
                    format_bytes(bytes), format_bytes(static_cast<double>(available)),
                    config.kernel.storage == "none" ? "" : ", or --kernel.storage none"));
  }
}

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

/// The modes by `method`; auto goes on from cholesky to spectral where it does not reach its accuracy.
ContrastiveModes find_modes(const DistMatrix& k, const SolveConfig& config, std::string& method, Report& report,
                            const Progress& progress) {
  if (method == "krylov") {
    KrylovOptions options = krylov_options(config);
    options.progress = progress;
    ContrastiveModes modes = krylov_modes(k.comm(), k.rows(), BlockProduct(k, views_per_pair), options);
    modes.mean_pair_kernel = mean_pair_kernel(k);
    return modes;
  }
  try {
    return contrastive_modes(k, config.modes, method == "spectral" ? Factorisation::spectral : Factorisation::cholesky);
  } catch (const CollectiveError& error) {
    if (config.solver.method != "auto" || error.code() != ExitCode::numerical) throw;
    report.note(fmt::format("{}; going on with --solver.method spectral", error.what()));
  }
  method = "spectral";
  return contrastive_modes(k, config.modes, Factorisation::spectral);
}

}  // namespace

void solve(const Communicator& comm, SolveConfig config, const std::string& command) {
  Report report(comm);
  check_output(comm, config.output, config.force, {config.data.path});
  PairSource pairs =
      report.stage("open data", 0, [&](const auto&) { return attempt(comm, [&] { return open_pairs(config); }); });
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
  const Layout layout = kernel_layout(*grid, samples, block);
  SolveResult result;
  result.method = choose_method(config, samples);
  check_memory(comm, config, result.method, layout, features);

  if (*config.data.standardize) {
    report.stage("standardise", 0, [&](const auto&) { standardise_pairs(comm, pairs); });
  }

  const double entries = static_cast<double>(samples) * static_cast<double>(samples);
  Samples train;  // this rank's share
  const auto load_train = [&] {
    const Range own = sample_share(comm, samples, views_per_pair);
    std::vector<std::int64_t> numbers(static_cast<std::size_t>(own.size()));
    std::iota(numbers.begin(), numbers.end(), own.begin);
    return load_samples(pairs, features, numbers);
  };
  if (config.kernel.storage == "none") {
    train = report.stage("read samples, make views", 0, [&](const auto&) { return attempt(comm, load_train); });
    result.modes = report.stage("modes", 0, [&](const Progress& progress) {
      KrylovOptions options = krylov_options(config);
      options.progress = progress;
      const RecomputedProduct product(kernel, train, comm, samples, views_per_pair);
      ContrastiveModes modes = krylov_modes(comm, samples, product, options);
      modes.mean_pair_kernel = mean_pair_kernel(kernel, train, samples, comm);
      return modes;
    });
  } else {
    const DistMatrix k = [&] {
      const auto [rows, cols] = report.stage("read samples, make views", 0, [&](const auto&) {
        return attempt(comm, [&] {
          return std::pair(load_samples(pairs, features, local_numbers(layout.rows, grid->row())),
                           load_samples(pairs, features, local_numbers(layout.cols, grid->col())));
        });
      });
      return report.stage("kernel matrix", entries * static_cast<double>(features), [&](const Progress& progress) {
        return assemble(kernel, rows, cols, grid, samples, block, progress);
      });
    }();
    result.modes = report.stage(
        "modes", 0, [&](const Progress& progress) { return find_modes(k, config, result.method, report, progress); });
  }
  report.split_last(result.modes.stages);
  for (const std::string& text : result.modes.notes) report.note(text);
  result.embedding = training_embedding(result.modes, comm);
  result.whiteness_error = whiteness_error(result.embedding, comm);

  if (test_count(pairs) > 0) {
    result.test = report.stage("test embeddings",
                               2.0 * static_cast<double>(samples * features) * static_cast<double>(test_count(pairs)),
                               [&](const auto&) {
                                 if (config.kernel.storage != "none") train = attempt(comm, load_train);
                                 return embed(kernel, result.embedding, train, comm, test_count(pairs),
                                              [&](Range batch) { return load_tests(pairs, features, batch); });
                               });
  }

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
  const std::int64_t size = report.stage("write", 0, [&](const auto&) {
    return write_result({comm, config, command, pairs, describe(kernel), *grid, block, report.stages()}, result);
  });
  const std::string timing = report.timing_table();
  if (comm.rank() == 0) {
    fmt::print("{}\n{}\n{} written, {}\n", modes_table(result), timing, config.output,
               format_bytes(static_cast<double>(size)));
  }
}

}  // namespace stepwise
