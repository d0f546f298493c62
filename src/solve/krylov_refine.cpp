#include "solve/krylov_search.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"

// The end of a search: exact images of the Ritz vectors, true residuals, and where these are not good enough yet, the
// way on.

namespace stepwise {

/// The wanted Ritz vectors with fresh products: made orthonormal once more, with their true residuals. True if these
/// meet the tolerance, or the search cannot go on.
bool Search::finished() {
  const std::int64_t d = positive();
  BlockVector a;
  BlockVector ka;
  attempt(comm_, [&] {
    a = make_block_vector(comm_, t_.samples, d, t_.group);
    ka = a;
  });
  pairs_.values.clear();
  pairs_.residuals.clear();
  failed_ = rough() && d < options_.modes;  // exact products know whether there are more
  if (failed_) return true;
  if (d > 0) {
    basis_.combination(ritz_.vectors, a.local());
    basis_.multiply_exactly(a.local(), ka.local());
    std::optional<BlockVector> residual = rayleigh_ritz(a, ka);
    failed_ = !residual;
    if (failed_) return true;
    BlockVector image = *residual;
    basis_.multiply(residual->local(), image.local());
    for (const double square : dots(comm_, *residual, image)) {
      pairs_.residuals.push_back(std::sqrt(std::max(square, 0.0)) / pairs_.values.front());
    }
    if (refine(a, ka, *residual, image)) return false;
    failed_ = rough() && !(true_residual_ <= options_.tolerance);
    if (failed_) return true;
  }
  for (double& value : pairs_.values) value *= basis_.scale();
  const double root = std::sqrt(basis_.scale());
  for (double& x : a.data) x /= root;
  for (double& x : ka.data) x *= root;
  pairs_.vectors = std::move(a);
  pairs_.kernel_vectors = std::move(ka);
  return true;
}

/// Turns the d vectors a and their images into K-orthonormal Ritz vectors of their span; sets the values and returns
/// T a - theta a. Nothing if the vectors are far from orthonormal, which they were by the products of the search.
std::optional<BlockVector> Search::rayleigh_ritz(BlockVector& a, BlockVector& ka) {
  const std::int64_t d = a.width;
  const auto combine = [d](BlockVector& v, const std::vector<double>& s) {
    BlockVector result = v;
    gemm(1, Transpose::yes, {s.data(), d, d, d}, Transpose::no, v.local(), 0, result.local());
    v = std::move(result);
  };
  SmallEigenpairs lengths = small_eigenpairs(comm_, basis_.inner(a.local(), ka.local()), d);
  if (rough() && !(lengths.values.back() > 0.5)) return std::nullopt;
  for (std::int64_t j = 0; j < d; ++j) {
    const double factor = 1 / std::sqrt(lengths.values[static_cast<std::size_t>(j)]);
    for (std::int64_t i = 0; i < d; ++i) lengths.vectors[area(j, d) + static_cast<std::size_t>(i)] *= factor;
  }
  combine(a, lengths.vectors);
  combine(ka, lengths.vectors);
  BlockVector ta = ka;
  t_.pairing(ta.local());
  const SmallEigenpairs best = small_eigenpairs(comm_, basis_.inner(ka.local(), ta.local()), d);
  for (BlockVector* v : {&a, &ka, &ta}) combine(*v, best.vectors);
  pairs_.values = best.values;
  for (std::int64_t s = 0; s < a.range.size(); ++s) {
    for (std::int64_t j = 0; j < d; ++j) {
      ta.local()(j, s) -= pairs_.values[static_cast<std::size_t>(j)] * a.local()(j, s);
    }
  }
  return ta;
}

/// Where true residuals are worse than estimated, the search goes on from the Ritz vectors and these residuals, as long
/// as that helps.
bool Search::refine(const BlockVector& a, const BlockVector& ka, const BlockVector& residual,
                    const BlockVector& image) {
  const double before = true_residual_;
  true_residual_ = *std::max_element(pairs_.residuals.begin(), pairs_.residuals.end());
  const std::int64_t d = a.width;
  if (true_residual_ <= options_.tolerance || !(true_residual_ < before / 2) || d < options_.modes) return false;
  std::vector<std::int64_t> order(static_cast<std::size_t>(d));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int64_t i, std::int64_t j) {
    return pairs_.residuals[static_cast<std::size_t>(i)] > pairs_.residuals[static_cast<std::size_t>(j)];
  });
  // Rough products leave every Ritz vector a residual of its own.
  const std::int64_t count = std::min({d, rough() ? d : sizes_.block, sizes_.basis - d});
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t from = order[static_cast<std::size_t>(i)];
    copy(residual.local().block(from, 0, 1, a.range.size()), basis_.w(count).block(i, 0, 1, a.range.size()));
    copy(image.local().block(from, 0, 1, a.range.size()), basis_.kw(count).block(i, 0, 1, a.range.size()));
  }
  if (rough()) basis_.multiply_exactly(basis_.w(count), basis_.kw(count));
  pairs_.exhausted = false;
  whole_ = false;
  basis_.replace(a, ka);
  forget_all_but(pairs_.values, d);
  if (basis_.append_exact(count) == 0) return false;
  couple(residual.local(), {}, 0);
  goal_ = std::max(options_.tolerance, rough() ? rough_reach * true_residual_ : 0);
  return true;
}

}  // namespace stepwise
