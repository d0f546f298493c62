#include <algorithm>
#include <cmath>
#include <limits>

#include "stepwise/dist/agree.hpp"
#include "stepwise/theory/probe_samples.hpp"
#include "theory/penalty.hpp"

namespace stepwise {
namespace {

/// The nearest samples seen so far, nearest first, with their classes.
struct Nearest {
  std::vector<double> distances;
  std::vector<std::int64_t> classes;

  explicit Nearest(std::size_t count) : distances(count, std::numeric_limits<double>::infinity()), classes(count, -1) {}

  /// Samples come by ascending number, so that of equals the first stays in front.
  void offer(double distance, std::int64_t own_class) {
    if (!(distance < distances.back())) return;
    const auto place = std::upper_bound(distances.begin(), distances.end(), distance) - distances.begin();
    std::move_backward(distances.begin() + place, distances.end() - 1, distances.end());
    std::move_backward(classes.begin() + place, classes.end() - 1, classes.end());
    distances[static_cast<std::size_t>(place)] = distance;
    classes[static_cast<std::size_t>(place)] = own_class;
  }

  /// The class with most votes, the first of equals.
  [[nodiscard]] std::int64_t vote(std::int64_t class_count) const {
    std::vector<std::int64_t> votes(static_cast<std::size_t>(class_count));
    for (const std::int64_t own_class : classes) ++votes[static_cast<std::size_t>(own_class)];
    return std::max_element(votes.begin(), votes.end()) - votes.begin();
  }
};

/// One rank's training samples, feature by feature, so that one feature of all of them is contiguous.
struct Block {
  std::int64_t count = 0;
  std::vector<double> features;
  std::vector<std::int64_t> classes;
};

/// What a block's rank owns, as it will send it; empty elsewhere. Local.
Block own_block(const LabelledSamples& train, std::span<const double> scales) {
  const MatrixView<const double> x = train.features.local();
  const std::int64_t d = std::ssize(scales);
  Block block{x.cols, std::vector<double>(static_cast<std::size_t>(d * x.cols)), train.classes};
  for (std::int64_t j = 0; j < d; ++j) {
    for (std::int64_t s = 0; s < x.cols; ++s) {
      block.features[static_cast<std::size_t>(s + j * x.cols)] = scales[static_cast<std::size_t>(j)] * x(j, s);
    }
  }
  return block;
}

/// Rank `root`'s block on every rank. Collective.
Block share_block(const ProbeSamples& samples, std::span<const double> scales, int root) {
  const Range range = sample_share(samples.comm, samples.train.features.samples, samples.group, root);
  Block block = attempt(samples.comm, [&] {
    if (samples.comm.rank() == root) return own_block(samples.train, scales);
    const auto count = static_cast<std::size_t>(range.size());
    return Block{range.size(), std::vector<double>(count * scales.size()), std::vector<std::int64_t>(count)};
  });
  broadcast(samples.comm, block.features, root);
  broadcast(samples.comm, block.classes, root);
  return block;
}

/// For one test sample, both kinds of neighbours for each number of leading features.
struct Query {
  std::vector<double> features;
  std::vector<Nearest> euclidean;
  std::vector<Nearest> cosine;
};

/// Goes through the features once: distances, products and lengths grow from one to the next.
void look_through(const Block& block, std::span<const std::int64_t> leading, Query& query) {
  const auto count = static_cast<std::size_t>(block.count);
  std::vector<double> distances(count);
  std::vector<double> products(count);
  std::vector<double> lengths(count);
  std::size_t next = 0;
  for (std::size_t j = 0; j < query.features.size(); ++j) {
    const double* x = block.features.data() + j * count;
    const double q = query.features[j];
    for (std::size_t s = 0; s < count; ++s) {
      distances[s] += (x[s] - q) * (x[s] - q);
      products[s] += x[s] * q;
      lengths[s] += x[s] * x[s];
    }
    if (next == leading.size() || leading[next] != static_cast<std::int64_t>(j) + 1) continue;
    for (std::size_t s = 0; s < count; ++s) {
      query.euclidean[next].offer(distances[s], block.classes[s]);
      const double cosine = lengths[s] > 0 ? products[s] / std::sqrt(lengths[s]) : 0;  // times the query's length
      query.cosine[next].offer(-cosine, block.classes[s]);
    }
    ++next;
  }
}

/// Scales without common factor: squares of features early in training would underflow.
std::vector<double> normalised(std::span<const double> scales) {
  const double largest = *std::max_element(scales.begin(), scales.end());
  std::vector<double> result(scales.begin(), scales.end());
  for (double& scale : result) scale /= largest;
  return result;
}

}  // namespace

NeighbourAccuracy neighbour_accuracy(const ProbeSamples& samples, std::int64_t neighbours,
                                     std::span<const double> scales, std::span<const std::int64_t> leading,
                                     std::int64_t numbers) {
  const std::vector<double> relative = normalised(scales);
  const MatrixView<const double> tests = samples.test.features.local();
  const std::int64_t each = 2 * neighbours * std::ssize(leading);
  const std::int64_t batch = std::clamp<std::int64_t>(numbers / each, 1, std::max<std::int64_t>(1, tests.cols));
  const std::int64_t turns = max(samples.comm, ceil_div(tests.cols, batch));
  std::vector<std::int64_t> euclidean(leading.size());
  std::vector<std::int64_t> cosine(leading.size());
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    const Range own{std::min(turn * batch, tests.cols), std::min((turn + 1) * batch, tests.cols)};
    std::vector<Query> queries = attempt(samples.comm, [&] {
      std::vector<Query> made;
      for (std::int64_t t = own.begin; t < own.end; ++t) {
        const std::vector<Nearest> none(leading.size(), Nearest(static_cast<std::size_t>(neighbours)));
        made.push_back({{}, none, none});
        for (std::size_t j = 0; j < relative.size(); ++j) {
          made.back().features.push_back(relative[j] * tests(static_cast<std::int64_t>(j), t));
        }
      }
      return made;
    });
    for (int rank = 0; rank < samples.comm.size(); ++rank) {
      const Block block = share_block(samples, relative, rank);
      attempt(samples.comm, [&] {
        for (Query& query : queries) look_through(block, leading, query);
      });
      stop_together(samples.comm);
    }
    for (std::int64_t t = own.begin; t < own.end; ++t) {
      const Query& query = queries[static_cast<std::size_t>(t - own.begin)];
      const std::int64_t right = samples.test.classes[static_cast<std::size_t>(t)];
      for (std::size_t l = 0; l < leading.size(); ++l) {
        euclidean[l] += query.euclidean[l].vote(samples.class_count) == right ? 1 : 0;
        cosine[l] += query.cosine[l].vote(samples.class_count) == right ? 1 : 0;
      }
    }
  }
  const std::int64_t total = samples.test.features.samples;
  return {shares(samples.comm, euclidean, total), shares(samples.comm, cosine, total)};
}

}  // namespace stepwise
