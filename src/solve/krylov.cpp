#include "stepwise/solve/krylov.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>

#include "solve/krylov_basis.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/solve/eigensolver.hpp"
#include "stepwise/solve/small_eigen.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t check_width = 8;  // random vectors that look for what the start may have missed
constexpr std::int64_t check_steps = 2;  // and how many blocks deep they look
constexpr int patient_looks = 6;         // at a basis without new positive values, before there are none
constexpr int most_unseen = 6;           // steps between two small eigenproblems
constexpr double rough_reach = 1e-6;     // by how much a search with rough products can bring residuals down

class Search {
 public:
  Search(const Communicator& comm, const KernelOperator& t, const KrylovOptions& options)
      : comm_(comm),
        t_(t),
        options_(options),
        sizes_(krylov_sizes(t.samples, options)),
        basis_(comm, t, options.seed, sizes_.basis, sizes_.width),
        h_(area(sizes_.basis, sizes_.basis)),
        goal_(std::max(options.tolerance, rough() ? rough_reach : 0)) {}

  /// Sets too_rough where products are, for the wanted values; there is no result then.
  KrylovPairs run();

 private:
  [[nodiscard]] bool rough() const { return t_.rough_kernel != nullptr; }
  [[nodiscard]] double norm_of_t() const {
    return ritz_.values.empty() ? 0 : std::max(ritz_.values.front(), -ritz_.values.back());
  }
  void start();
  void expand();
  void project(const std::vector<double>& gram);
  [[nodiscard]] std::int64_t positive() const;
  [[nodiscard]] bool converged();
  [[nodiscard]] int steps_until_next_look(double worst) const;
  [[nodiscard]] std::vector<double> restart();
  void forget_all_but(const std::vector<double>& values, std::int64_t kept);
  void couple(MatrixView<const double> outside, const std::vector<double>& tail, std::int64_t first);
  [[nodiscard]] bool finished();
  [[nodiscard]] std::optional<BlockVector> rayleigh_ritz(BlockVector& a, BlockVector& ka);
  [[nodiscard]] bool refine(const BlockVector& a, const BlockVector& ka, const BlockVector& residual,
                            const BlockVector& image);

  const Communicator& comm_;
  const KernelOperator& t_;
  const KrylovOptions& options_;
  KrylovSizes sizes_;
  KernelBasis basis_;
  std::vector<double> h_;        // Q^T K T Q, sizes_.basis x sizes_.basis
  SmallEigenpairs ritz_;         // of h_
  std::vector<double> outside_;  // ||T y_i - theta_i y_i||_K of the leading Ritz vectors
  double first_residual_ = 0;
  std::int64_t found_ = 0;           // positive Ritz values at the last look
  int looks_without_more_ = 0;       // how often there were no more of them
  std::int64_t steps_checked_ = -1;  // steps since random vectors were to join to look for missed modes
  bool joined_ = false;              // and whether they have
  int unseen_ = 0;                   // steps since the last small eigenproblem
  int patience_ = most_unseen;       // steps until the next one
  double last_seen_ = 0;             // largest residual there
  double goal_;                      // residual that ends the present search
  double true_residual_ = std::numeric_limits<double>::infinity();  // the worst one last time it was computed
  bool failed_ = false;                                             // with rough products there is no way on
  KrylovPairs pairs_;
};

/// Rayleigh-Ritz, and what of T y lies outside the basis: `gram` is that of T times the last block, outside.
void Search::project(const std::vector<double>& gram) {
  const std::int64_t size = basis_.size();
  std::vector<double> h(area(size, size));
  for (std::int64_t j = 0; j < size; ++j) {
    std::copy_n(h_.data() + area(j, sizes_.basis), size, h.data() + area(j, size));
  }
  ritz_ = small_eigenpairs(comm_, h, size);
  const std::int64_t block = size - basis_.last();
  outside_.assign(static_cast<std::size_t>(std::min(options_.modes, size)), 0);
  for (std::size_t i = 0; i < outside_.size(); ++i) {
    const double* tail = ritz_.vectors.data() + area(static_cast<std::int64_t>(i), size) + basis_.last();
    double square = 0;
    for (std::int64_t r = 0; r < block; ++r) {
      for (std::int64_t c = 0; c < block; ++c)
        square += tail[r] * gram[area(c, block) + static_cast<std::size_t>(r)] * tail[c];
    }
    outside_[i] = std::sqrt(std::max(square, 0.0));
  }
}

/// How many of the leading Ritz values, at most as many as wanted, are more than rounding.
std::int64_t Search::positive() const {
  const double noise = std::max(noise_floor(t_.samples, norm_of_t()), rough() ? rough_reach * norm_of_t() : 0);
  const std::int64_t most = std::min(options_.modes, basis_.size());
  std::int64_t count = 0;
  while (count < most && ritz_.values[static_cast<std::size_t>(count)] > noise) ++count;
  return count;
}

bool Search::converged() {
  if (basis_.size() < options_.modes || ritz_.values.empty()) return false;
  const std::int64_t found = positive();
  const double unit = found > 0 ? ritz_.values.front() : norm_of_t();
  double worst = 0;
  for (std::int64_t i = 0; i < found; ++i) worst = std::max(worst, outside_[static_cast<std::size_t>(i)] / unit);
  looks_without_more_ = found == found_ ? looks_without_more_ + 1 : 0;
  found_ = found;
  if (first_residual_ == 0) first_residual_ = worst;
  if (options_.progress && worst > 0) {
    options_.progress(std::log(worst / first_residual_) /
                      std::log(std::min(options_.tolerance / first_residual_, 0.5)));
  }
  patience_ = steps_until_next_look(worst);
  last_seen_ = worst;
  unseen_ = 0;
  // The random vectors join early enough for their steps to be of use to the others as well.
  if (steps_checked_ < 0 && worst <= 100 * goal_) steps_checked_ = 0;
  if (worst > goal_ / 2 || steps_checked_ < check_steps) return false;
  // What is positive has converged, and the search, random vectors and restarts included, goes on without a new one.
  const bool no_more = found < options_.modes && looks_without_more_ >= patient_looks && pairs_.restarts >= 2;
  pairs_.exhausted = pairs_.exhausted || no_more;
  return found == options_.modes || no_more;
}

/// Most of the steps that the residual, falling as it has since the last look, needs to reach the goal.
int Search::steps_until_next_look(double worst) const {
  if (!(last_seen_ > worst) || unseen_ == 0 || worst <= goal_) return 1;
  const double per_step = std::log(last_seen_ / worst) / unseen_;
  return std::clamp(static_cast<int>(0.7 * std::log(2 * worst / goal_) / per_step), 1, most_unseen);
}

/// Keeps the leading Ritz vectors only; they take their common residual, the next block, with them. Returns how they
/// lean on the last block: its size x their number.
std::vector<double> Search::restart() {
  const std::int64_t size = basis_.size();
  const std::int64_t block = size - basis_.last();
  const std::int64_t kept = std::min(options_.modes + sizes_.block, size - 1);
  std::vector<double> tail(area(block, kept));
  for (std::int64_t i = 0; i < kept; ++i) {
    std::copy_n(ritz_.vectors.data() + area(i, size) + basis_.last(), block, tail.data() + area(i, block));
  }
  basis_.combine(ritz_.vectors, kept);
  forget_all_but(ritz_.values, kept);
  ++pairs_.restarts;
  return tail;
}

/// The basis consists of `kept` Ritz vectors now.
void Search::forget_all_but(const std::vector<double>& values, std::int64_t kept) {
  std::fill(h_.begin(), h_.end(), 0.0);
  for (std::int64_t i = 0; i < kept; ++i) {
    h_[area(i, sizes_.basis) + static_cast<std::size_t>(i)] = values[static_cast<std::size_t>(i)];
  }
}

/// Enters what couples the last block to the vectors before it: q_last^T K T q_i, where T q_i lies in the span of the
/// basis before but for `outside` times column i of `tail`; without a tail the vectors from `first` on stand for
/// themselves. Not from T q_last: where products are rough only this way keeps the coupling's relative accuracy.
void Search::couple(MatrixView<const double> outside, const std::vector<double>& tail, std::int64_t first) {
  const std::int64_t last = basis_.last();
  const std::int64_t block = basis_.size() - last;
  const std::int64_t depth = outside.rows;
  std::vector<double> c = basis_.inner(basis_.kq(last, block), outside);
  std::int64_t cols = depth;
  if (!tail.empty()) {
    cols = static_cast<std::int64_t>(tail.size()) / depth;
    std::vector<double> leaning(area(block, cols));
    gemm(1, Transpose::no, {c.data(), block, depth, block}, Transpose::no, {tail.data(), depth, cols, depth}, 0,
         {leaning.data(), block, cols, block});
    c = std::move(leaning);
  }
  for (std::int64_t i = 0; i < cols; ++i) {
    for (std::int64_t j = 0; j < block; ++j) {
      const double x = c[area(i, block) + static_cast<std::size_t>(j)];
      h_[area(first + i, sizes_.basis) + static_cast<std::size_t>(last + j)] = x;
      h_[area(last + j, sizes_.basis) + static_cast<std::size_t>(first + i)] = x;
    }
  }
}

KrylovPairs Search::run() {
  start();
  do {
    expand();
  } while (!finished());
  pairs_.too_rough = failed_;
  pairs_.products = basis_.products;
  pairs_.rounds = basis_.rounds;
  pairs_.rough_rounds = basis_.rough_rounds;
  pairs_.product_seconds = basis_.product_seconds;
  return std::move(pairs_);
}

void Search::start() {
  if (options_.start != nullptr && options_.start->width > 0) {
    const BlockVector& given = *options_.start;
    const std::int64_t count = std::min(given.width, sizes_.width);
    const auto w = basis_.w(count);
    copy(given.local().block(0, 0, count, given.range.size()), w);
    // Of length one: their size must not bring K times them out of range.
    const std::vector<double> squares = dots(comm_, given, given);
    for (std::int64_t s = 0; s < w.cols; ++s) {
      for (std::int64_t j = 0; j < count; ++j) {
        const double square = squares[static_cast<std::size_t>(j)];
        w(j, s) = square > 0 && std::isfinite(square) ? w(j, s) / std::sqrt(square) : 0;
      }
    }
    basis_.multiply(basis_.w(count), basis_.kw(count));
    if (basis_.append(count, 0) > 0) return;
  }
  (void)basis_.append_random(sizes_.block, 0);
}

/// Block after block until the tolerance is met, or nothing is left to be found.
void Search::expand() {
  while (basis_.size() > 0) {
    if (basis_.rounds >= options_.max_rounds) {
      const double worst = outside_.empty() ? 1 : *std::max_element(outside_.begin(), outside_.end()) / norm_of_t();
      throw CollectiveError(
          ExitCode::numerical,
          fmt::format(
              "the Krylov method has not converged after {} passes over K: largest residual {:.3g}, wanted {:.3g}; "
              "loosen --solver.tolerance, or use --solver.method cholesky",
              basis_.rounds, worst, options_.tolerance));
    }
    const std::int64_t size = basis_.size();
    const std::int64_t last = basis_.last();
    const std::int64_t block = size - last;
    copy(basis_.kq(last, block), basis_.w(block));
    t_.pairing(basis_.w(block));  // w = T q
    const std::int64_t reach = basis_.reach();
    const std::vector<double> c = basis_.orthogonalise(block, reach, false);
    for (std::int64_t j = 0; j < block; ++j) {
      for (std::int64_t i = 0; i <= j; ++i) {
        const double x = c[area(j, size - reach) + static_cast<std::size_t>(last - reach + i)];
        h_[area(last + j, sizes_.basis) + static_cast<std::size_t>(last + i)] = x;
        h_[area(last + i, sizes_.basis) + static_cast<std::size_t>(last + j)] = x;
      }
    }
    std::int64_t count = block;
    if (steps_checked_ == 0 && !joined_) {
      basis_.draw(block, check_width);
      count += check_width;
      joined_ = true;
    }
    basis_.multiply(basis_.w(count), basis_.kw(count));
    basis_.keep_outside(block);
    const std::vector<double> outside = basis_.inner(basis_.w(block), basis_.kw(block));
    if (steps_checked_ >= 0) ++steps_checked_;
    const bool full = size + count > sizes_.basis;
    ++unseen_;
    const bool look = full || size == t_.samples || (size >= options_.modes && unseen_ >= patience_);
    if (look) {
      project(outside);
      if (converged()) break;
    }
    if (size == t_.samples) {
      pairs_.exhausted = true;
      break;
    }
    std::vector<double> tail;
    if (full) tail = restart();
    if (basis_.append(count, norm_of_t()) > 0) {
      couple(basis_.outside(block), tail, full ? 0 : last);
      continue;
    }
    // An invariant subspace: what is left of K must be found from elsewhere, if anything is.
    if (basis_.append_random(sizes_.block, norm_of_t()) == 0) {
      if (!look) project(outside);
      pairs_.exhausted = true;
      break;
    }
  }
  pairs_.exhausted = pairs_.exhausted || basis_.size() == 0;
}

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
    basis_.combine(ritz_.vectors, d);
    copy(basis_.q(0, d), a.local());
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
  pairs_.exhausted = false;
  basis_.replace(a, ka);
  forget_all_but(pairs_.values, d);
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
  if (basis_.append_exact(count) == 0) return false;
  couple(residual.local(), {}, 0);
  goal_ = std::max(options_.tolerance, rough() ? rough_reach * true_residual_ : 0);
  return true;
}

}  // namespace

KrylovSizes krylov_sizes(std::int64_t samples, const KrylovOptions& options) {
  std::int64_t block = options.block;
  if (block == 0) block = options.modes <= 16 ? 16 : options.modes <= 128 ? 24 : 48;
  block = std::min(block, samples);
  const std::int64_t started = options.start != nullptr ? options.start->width : 0;
  return {block, std::min(samples, 2 * options.modes + 12 * block + check_width),
          std::max({block + check_width, options.modes, started + check_width})};
}

KrylovPairs krylov_pairs(const Communicator& comm, const KernelOperator& t, const KrylovOptions& options) {
  if (options.modes < 1 || options.modes > t.samples) {
    throw CollectiveError(ExitCode::input, fmt::format("--modes is {}, must be from 1 to the number of samples, {}",
                                                       options.modes, t.samples));
  }
  const auto search = [&](const KernelOperator& op) {
    return attempt(comm, [&] { return std::make_unique<Search>(comm, op, options); })->run();
  };
  KrylovPairs pairs = search(t);
  if (!pairs.too_rough) return pairs;
  KernelOperator exact = t;
  exact.rough_kernel = nullptr;
  KrylovPairs anew = search(exact);
  anew.too_rough = true;
  anew.products += pairs.products;
  anew.rounds += pairs.rounds;
  anew.rough_rounds = pairs.rough_rounds;
  anew.product_seconds += pairs.product_seconds;
  return anew;
}

}  // namespace stepwise
