#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "stepwise/dist/block_product.hpp"
#include "stepwise/dist/pairing.hpp"
#include "stepwise/kernel/assemble.hpp"
#include "stepwise/theory/agreement.hpp"
#include "stepwise/theory/contrastive.hpp"
#include "stepwise/theory/embedding.hpp"
#include "stepwise/theory/mean_pair_kernel.hpp"
#include "support/grids.hpp"

namespace stepwise::test {

/// Positive pairs held whole on every rank, sample Vi + v being view v of pair i; `features` numbers each.
struct Pairs {
  std::int64_t features = 0;
  std::vector<double> data;
  std::int64_t views = 2;
  [[nodiscard]] std::int64_t samples() const { return static_cast<std::int64_t>(data.size()) / features; }
  [[nodiscard]] Samples pick(const std::vector<std::int64_t>& numbers) const {
    std::vector<double> picked;
    for (const std::int64_t i : numbers) {
      picked.insert(picked.end(), data.begin() + i * features, data.begin() + (i + 1) * features);
    }
    return make_samples(features, picked);
  }
};

/// Correlated Gaussian pairs with decaying variances, so that gammas are well apart.
inline Pairs random_pairs(std::int64_t n, std::int64_t features, double noise, std::uint64_t seed = 1,
                          std::int64_t views = 2) {
  Pairs pairs{features, {}, views};
  for (std::int64_t i = 0; i < n; ++i) {
    for (int view = 0; view < views; ++view) {
      for (std::int64_t k = 0; k < features; ++k) {
        const double common = RandomStream(seed, Purpose::probe, i * features + k).normal();
        const double own = noise == 0 ? 0 : RandomStream(seed, Purpose::noise, i * features + k, view).normal();
        pairs.data.push_back((common + noise * own) / (1 + static_cast<double>(k) / 3));
      }
    }
  }
  return pairs;
}

inline std::vector<std::int64_t> range_numbers(std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = begin; i < end; ++i) numbers.push_back(i);
  return numbers;
}

inline DistMatrix kernel_matrix(const Kernel& kernel, const Pairs& pairs,
                                const std::shared_ptr<const ProcessGrid>& grid, std::int64_t wanted_block = 8) {
  const std::int64_t n = pairs.samples();
  const GridShape shape = grid->shape();
  const std::int64_t block = fitting_block(n, std::max(shape.rows, shape.cols), wanted_block, pairs.views);
  const DistMatrix layout(grid, n, n, block);
  std::vector<std::int64_t> rows;
  std::vector<std::int64_t> cols;
  for (std::int64_t i = 0; i < layout.local().rows; ++i) rows.push_back(layout.global_row(i));
  for (std::int64_t j = 0; j < layout.local().cols; ++j) cols.push_back(layout.global_col(j));
  return assemble(kernel, pairs.pick(rows), pairs.pick(cols), grid, n, block, {});
}

enum class Method { cholesky, spectral, krylov };

/// The d leading modes of a kernel matrix by any method.
inline ContrastiveModes modes_of(const DistMatrix& k, std::int64_t d, Method method, const Pairing& pairing = {}) {
  if (method == Method::krylov) {
    return krylov_modes(k.comm(), contrastive_operator(k.rows(), BlockProduct(k, pairing.views), pairing),
                        {.modes = d, .tolerance = 1e-11});
  }
  return contrastive_modes(
      k, d, {method == Method::cholesky ? Factorisation::cholesky : Factorisation::spectral, std::nullopt, pairing});
}

/// What the direct methods know.
inline const DirectReport& direct(const ContrastiveModes& modes) {
  return std::get<DirectReport>(modes.report);
}

/// The whole block vector on every rank, width x samples.
inline std::vector<double> replicate(const BlockVector& v) {
  std::vector<double> full(static_cast<std::size_t>(v.width * v.samples));
  std::copy(v.data.begin(), v.data.end(), full.begin() + v.range.begin * v.width);
  sum(world(), full);
  return full;
}

/// K_emb(i, j) = f(x_i).f(x_j) over all samples.
inline std::vector<double> learned_kernel(const BlockVector& f) {
  const auto full = replicate(f);
  const auto n = static_cast<std::size_t>(f.samples);
  const auto d = static_cast<std::size_t>(f.width);
  std::vector<double> k(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t c = 0; c < d; ++c) k[i * n + j] += full[i * d + c] * full[j * d + c];
    }
  }
  return k;
}

}  // namespace stepwise::test
