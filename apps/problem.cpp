#include "problem.hpp"

#include <algorithm>
#include <numeric>

#include "precomputed.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/theory/pairing.hpp"

namespace stepwise {
namespace {

/// As the kernel sees them, from one column of numbers each.
Samples prepare(const Problem& problem, std::int64_t inputs, std::vector<double> data) {
  if (problem.map) data = feature_vectors(*problem.map, data);
  return make_samples(problem.map ? problem.map->count : inputs, std::move(data));
}

}  // namespace

Problem pose(const Communicator& comm, SolveConfig& config, const PairSource& pairs) {
  const std::int64_t n = pair_count(pairs);
  const std::int64_t samples = views_per_pair * n;
  const std::int64_t inputs = sample_shape(pairs).size();
  if (config.kernel.random_features > 0) check_feature_memory(comm, config, inputs);
  auto [kernel, map, shape] = attempt(comm, [&] {
    if (config.modes.value_or(1) > n) {
      fail(ExitCode::input, "--modes is {}, but {} pairs (2n = {} samples) have at most {} positive modes",
           *config.modes, n, samples, n);
    }
    if (subsample_pairs(config) > n) {
      fail(ExitCode::input, "--solver.warm-start is {}, but there are {} pairs", subsample_pairs(config), n);
    }
    const auto* rows = std::get_if<IndexPairs>(&pairs);
    const Kernel wanted = rows != nullptr ? stored_kernel(*rows) : make_kernel(config, inputs);
    std::optional<RandomFeatures> features;
    if (config.kernel.random_features > 0) {
      features = draw_features(wanted, inputs, config.kernel.random_features, static_cast<std::uint64_t>(config.seed));
    }
    return std::tuple(wanted, std::move(features), grid_shape(config, comm.size()));
  });
  std::string convention = describe(kernel);
  std::int64_t features = inputs;
  if (map) {
    convention = fmt::format("x.y of {} random features of {}", map->count, convention);
    features = map->count;
    kernel = LinearKernel{};
  }
  const auto grid = ProcessGrid::create(comm, shape);
  const std::int64_t block =
      fitting_block(samples, std::max(shape.rows, shape.cols), config.solver.block_size, views_per_pair);
  return {comm,     config,
          pairs,    std::move(map),
          kernel,   std::move(convention),
          grid,     kernel_layout(*grid, samples, block),
          features, samples};
}

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

Samples load_samples(const Problem& problem, const std::vector<std::int64_t>& numbers) {
  const std::int64_t inputs = sample_shape(problem.pairs).size();
  const auto count = static_cast<std::int64_t>(numbers.size());
  std::vector<double> data(static_cast<std::size_t>(inputs * count));
  read_samples(problem.pairs, numbers, {data.data(), inputs, count, inputs});
  return prepare(problem, inputs, std::move(data));
}

Samples load_range(const Problem& problem, Range range) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(range.size()));
  std::iota(numbers.begin(), numbers.end(), range.begin);
  return load_samples(problem, numbers);
}

Samples load_share(const Problem& problem) {
  return attempt(problem.comm,
                 [&] { return load_range(problem, sample_share(problem.comm, problem.samples, views_per_pair)); });
}

Samples load_tests(const Problem& problem, Range range) {
  const std::int64_t inputs = sample_shape(problem.pairs).size();
  std::vector<double> data(static_cast<std::size_t>(inputs * range.size()));
  read_tests(problem.pairs, range, {data.data(), inputs, range.size(), inputs});
  return prepare(problem, inputs, std::move(data));
}

}  // namespace stepwise
