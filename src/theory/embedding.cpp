#include "stepwise/theory/embedding.hpp"

#include <algorithm>
#include <cmath>

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/dist/pairing.hpp"
#include "stepwise/theory/centring.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t batch_size = 256;

/// +1 or -1 for each mode, by the convention of Embedding.
std::vector<double> mode_signs(const BlockVector& f, const Communicator& comm) {
  const auto local = f.local();
  const auto d = static_cast<std::size_t>(f.width);
  std::vector<double> largest(d);
  for (std::int64_t s = 0; s < local.cols; ++s) {
    for (std::size_t j = 0; j < d; ++j)
      largest[j] = std::max(largest[j], std::abs(local(static_cast<std::int64_t>(j), s)));
  }
  MPI_Allreduce(MPI_IN_PLACE, largest.data(), static_cast<int>(d), MPI_DOUBLE, MPI_MAX, comm.raw());
  // 2 sample + (1 if negative): the minimum finds the first such sample and its sign at once.
  std::vector<std::int64_t> first(d, 2 * f.samples);
  for (std::int64_t s = local.cols - 1; s >= 0; --s) {
    for (std::size_t j = 0; j < d; ++j) {
      const double x = local(static_cast<std::int64_t>(j), s);
      if (std::abs(x) >= (1 - 1e-6) * largest[j]) first[j] = 2 * (f.range.begin + s) + (x < 0 ? 1 : 0);
    }
  }
  MPI_Allreduce(MPI_IN_PLACE, first.data(), static_cast<int>(d), MPI_INT64_T, MPI_MIN, comm.raw());
  std::vector<double> signs;
  for (const std::int64_t code : first) signs.push_back(code % 2 == 0 ? 1 : -1);
  return signs;
}

}  // namespace

EmbeddingWeights embedding_weights(const Embedding& embedding) {
  const double c = embedding.pairing.norm(embedding.train.samples);
  BlockVector weights = embedding.train;
  apply_pairing(embedding.pairing, weights.local());
  std::vector<double> factors;
  for (const double gamma : embedding.gamma) factors.push_back(1 / (c * gamma));
  scale_vectors(weights, factors);
  return {std::move(weights), embedding.offsets};
}

Embedding training_embedding(const ContrastiveModes& modes, const Communicator& comm) {
  Embedding embedding{
      {modes.gamma.begin(), modes.gamma.begin() + modes.dual.width}, modes.dual, modes.kernel_dual, modes.pairing};
  std::vector<double> factors;
  for (const double gamma : embedding.gamma) factors.push_back(1 / std::sqrt(gamma));
  scale_vectors(embedding.train, factors);
  const auto signs = mode_signs(embedding.train, comm);
  scale_vectors(embedding.train, signs);
  scale_vectors(embedding.dual, signs);
  if (modes.means.width > 0) {
    embedding.offsets = centring_offsets(embedding_weights(embedding).weights, modes.means, comm);
  }
  return embedding;
}

BlockVector embed(const Kernel& kernel, const Embedding& embedding, const Samples& train, const Communicator& comm,
                  std::int64_t count, const std::function<Samples(Range)>& read_batch, std::int64_t group,
                  std::size_t kind) {
  return embed(kernel, embedding_weights(embedding), train, comm, count, read_batch, group, kind);
}

BlockVector embed(const Kernel& kernel, const EmbeddingWeights& embedder, const Samples& train,
                  const Communicator& comm, std::int64_t count, const std::function<Samples(Range)>& read_batch,
                  std::int64_t group, std::size_t kind) {
  const BlockVector& weights = embedder.weights;
  const std::int64_t d = weights.width;
  const std::int64_t own = weights.range.size();
  BlockVector result;
  std::vector<double> tile;
  std::vector<double> sums;
  attempt(comm, [&] {
    result = make_block_vector(comm, count, d, group);
    tile.resize(static_cast<std::size_t>(own * std::min(batch_size, count)));
    sums.resize(static_cast<std::size_t>(d * std::min(batch_size, count)));
  });
  for (std::int64_t begin = 0; begin < count; begin += batch_size) {
    const Range batch{begin, std::min(begin + batch_size, count)};
    const std::int64_t size = batch.size();
    stop_together(comm);
    attempt(comm, [&] {
      const Samples samples = read_batch(batch);
      std::fill(sums.begin(), sums.end(), 0.0);
      if (own == 0) return;
      evaluate_threaded(kernel, train, {0, own}, samples, {0, size}, {tile.data(), own, size, own});
      gemm(1, Transpose::no, weights.local(), Transpose::no, {tile.data(), own, size, own}, 0,
           {sums.data(), d, size, d});
    });
    sum(comm, std::span(sums).first(static_cast<std::size_t>(d * size)));
    const auto local = result.local();
    const Range mine{std::max(batch.begin, result.range.begin), std::min(batch.end, result.range.end)};
    for (std::int64_t s = mine.begin; s < mine.end; ++s) {
      double* f = local.column(s - result.range.begin);
      std::copy_n(sums.data() + (s - batch.begin) * d, d, f);
      if (embedder.offsets.empty()) continue;
      for (std::int64_t j = 0; j < d; ++j) f[j] += embedder.offsets[kind][static_cast<std::size_t>(j)];
    }
  }
  return result;
}

double whiteness_error(const Embedding& embedding, const Communicator& comm) {
  const std::int64_t d = embedding.train.width;
  BlockVector swapped = embedding.train;
  apply_pairing(embedding.pairing, swapped.local());
  std::vector<double> c(static_cast<std::size_t>(d * d));
  gemm(1 / embedding.pairing.norm(embedding.train.samples), Transpose::no, embedding.train.local(), Transpose::yes,
       swapped.local(), 0, {c.data(), d, d, d});
  sum(comm, c);
  double worst = 0;
  for (std::int64_t j = 0; j < d; ++j) {
    for (std::int64_t i = 0; i < d; ++i) {
      worst = std::max(worst, std::abs(c[static_cast<std::size_t>(i + j * d)] - (i == j ? 1 : 0)));
    }
  }
  return worst;
}

}  // namespace stepwise
