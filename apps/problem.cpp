#include "problem.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

#include "kernel_config.hpp"
#include "stepwise/core/hash.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/kernel/evaluate.hpp"

namespace stepwise {
namespace {

/// As the kernel sees them, from one column of numbers each.
Samples prepare(const Problem& problem, std::vector<double> data) {
  if (problem.map) data = std::visit([&](const auto& map) { return feature_vectors(map, data); }, *problem.map);
  Samples samples = make_samples(problem.features, std::move(data));
  check_samples(problem.kernel, samples);
  return samples;
}

/// What of the kernel a map leaves to do, and in words.
struct Mapped {
  Kernel kernel;
  std::string convention;
  std::int64_t features = 0;
};

Mapped behind(const RandomFeatures& map) {
  return {LinearKernel{}, fmt::format("x.y of {} random features of {}", map.count, describe(map.kernel)), map.count};
}
Mapped behind(const TangentFeatures& map) {
  return {map.kernel, describe(map.of), map.count};
}

/// Nothing where the kernel takes the samples themselves. Collective. @throws CollectiveError(input or memory).
std::optional<FeatureMap> draw_map(const Communicator& comm, const SolveConfig& config, const Kernel& kernel,
                                   std::int64_t inputs) {
  const auto seed = static_cast<std::uint64_t>(config.seed);
  if (config.kernel.type == "empirical-ntk") {
    const FiniteNetworks networks = finite_networks(config, kernel);
    check_map_memory(
        comm, attempt(comm, [&] { return tangent_numbers(networks, inputs); }),
        fmt::format("--kernel.networks {}, --kernel.width {} and --kernel.outputs {}: storing their weights",
                    networks.networks, networks.width, networks.outputs));
    return attempt(comm, [&] { return FeatureMap(draw_networks(networks, inputs, seed)); });
  }
  const std::int64_t count = config.kernel.random_features;
  if (count == 0) return std::nullopt;
  check_map_memory(comm, attempt(comm, [&] { return feature_numbers(kernel, inputs, count); }),
                   fmt::format("--kernel.random-features {}: storing their weights", count));
  return attempt(comm, [&] { return FeatureMap(draw_features(kernel, inputs, count, seed)); });
}

}  // namespace

Problem pose(const Communicator& comm, SolveConfig& config, const PairSource& pairs) {
  const std::int64_t n = pair_count(pairs);
  const Pairing pairing{view_count(pairs)};
  const std::int64_t samples = pairing.views * n;
  const std::int64_t inputs = sample_shape(pairs).size();
  const auto [wanted, shape] = attempt(comm, [&] {
    if (config.modes.value_or(1) > n) {
      fail(ExitCode::input, "--modes is {}, but {} pairs ({}n = {} samples) have at most {} positive modes",
           *config.modes, n, pairing.views, samples, n);
    }
    if (subsample_pairs(config) > n) {
      fail(ExitCode::input, "--solver.warm-start is {}, but there are {} pairs", subsample_pairs(config), n);
    }
    return std::pair(pose_kernel(config, pairs), grid_shape(config, comm.size()));
  });
  std::optional<FeatureMap> map = draw_map(comm, config, wanted, inputs);
  Mapped seen =
      map ? std::visit([](const auto& m) { return behind(m); }, *map) : Mapped{wanted, describe(wanted), inputs};
  if (map && config.kernel.normalise) {
    seen.kernel = NormalisedKernel{boxed(seen.kernel)};
    seen.convention += ", normalised to k(x, x) = 1";
  }
  std::optional<Centring> centring;
  if (config.kernel.centre) {
    centring = Centring{std::holds_alternative<MultimodalPairs>(pairs) ? 2 : 1};
    seen.convention += ", centred over the training samples";
    if (centring->kinds > 1) seen.convention += " of each modality";
  }
  const auto grid = ProcessGrid::create(comm, shape);
  const std::int64_t block =
      fitting_block(samples, std::max(shape.rows, shape.cols), config.solver.block_size, pairing.views);
  return {comm,
          config,
          pairs,
          std::move(map),
          std::move(seen.kernel),
          std::move(seen.convention),
          grid,
          kernel_layout(*grid, samples, block),
          seen.features,
          samples,
          pairing,
          centring};
}

std::string inputs_checksum(const Communicator& comm, const PairSource& pairs) {
  if (std::holds_alternative<IndexPairs>(pairs)) return "";
  constexpr std::int64_t batch_size = 256;
  const std::int64_t inputs = sample_shape(pairs).size();
  const Range share = sample_share(comm, view_count(pairs) * pair_count(pairs), view_count(pairs));
  std::uint64_t total = 0;
  attempt(comm, [&] {
    std::vector<double> data(static_cast<std::size_t>(inputs * std::min(batch_size, share.size())));
    for (std::int64_t begin = share.begin; begin < share.end; begin += batch_size) {
      std::vector<std::int64_t> numbers(static_cast<std::size_t>(std::min(batch_size, share.end - begin)));
      std::iota(numbers.begin(), numbers.end(), begin);
      const auto count = static_cast<std::int64_t>(numbers.size());
      read_samples(pairs, numbers, {data.data(), inputs, count, inputs});
      for (std::int64_t i = 0; i < inputs * count; ++i) {
        total += place_hash(begin * inputs + i, std::bit_cast<std::uint64_t>(data[static_cast<std::size_t>(i)]));
      }
    }
  });
  MPI_Allreduce(MPI_IN_PLACE, &total, 1, MPI_UINT64_T, MPI_SUM, comm.raw());
  return fmt::format("{:016x}", total);
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
  attempt(comm, [&] { set_standardisation(pairs, standardise(moments, moment_pixels(pairs))); });
}

Samples load_samples(const Problem& problem, const std::vector<std::int64_t>& numbers) {
  const std::int64_t inputs = sample_shape(problem.pairs).size();
  const auto count = static_cast<std::int64_t>(numbers.size());
  std::vector<double> data(static_cast<std::size_t>(inputs * count));
  read_samples(problem.pairs, numbers, {data.data(), inputs, count, inputs});
  return prepare(problem, std::move(data));
}

Samples load_range(const Problem& problem, Range range) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(range.size()));
  std::iota(numbers.begin(), numbers.end(), range.begin);
  return load_samples(problem, numbers);
}

Samples load_share(const Problem& problem) {
  return attempt(problem.comm, [&] {
    return load_range(problem, sample_share(problem.comm, problem.samples, problem.pairing.views));
  });
}

Samples load_tests(const Problem& problem, Range range) {
  return load_tests(problem, problem.pairs, range);
}

Samples load_tests(const Problem& problem, const PairSource& source, Range range) {
  const std::int64_t inputs = sample_shape(source).size();
  std::vector<double> data(static_cast<std::size_t>(inputs * range.size()));
  read_tests(source, range, {data.data(), inputs, range.size(), inputs});
  return prepare(problem, std::move(data));
}

}  // namespace stepwise
