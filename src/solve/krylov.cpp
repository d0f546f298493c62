#include "stepwise/solve/krylov.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "solve/krylov_search.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/solve/eigensolver.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t check_width = 8;  // random vectors that look for what the start may have missed
constexpr std::int64_t check_steps = 2;  // and how many blocks deep they look
constexpr int patient_looks = 6;         // at a basis without new positive values, before there are none

}  // namespace

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
std::int64_t Search::steps_until_next_look(double worst) const {
  if (!(last_seen_ > worst) || unseen_ == 0 || worst <= goal_) return 1;
  const double per_step = std::log(last_seen_ / worst) / static_cast<double>(unseen_);
  return std::clamp(static_cast<std::int64_t>(0.7 * std::log(2 * worst / goal_) / per_step), std::int64_t{1},
                    most_unseen);
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
  whole_ = false;
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
  options_.resume != nullptr ? resume(*options_.resume) : start();
  try {
    do {
      expand();
    } while (!finished());
  } catch (const CollectiveError& error) {
    // The pass that was given up has not touched the basis.
    if (error.code() == ExitCode::stopped && whole_) show_state();
    throw;
  }
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
    if (options_.safe_point) {
      note_state();
      show_state();
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
    if (steps_checked_ == 0 && joined_ == 0) {
      basis_.draw(block, check_width);
      count += check_width;
      joined_ = 1;
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
  const auto search = [&](const KernelOperator& op, const KrylovOptions& how, const GivenUp& given_up) {
    return attempt(comm, [&] { return std::make_unique<Search>(comm, op, how, given_up); })->run();
  };
  GivenUp given_up;
  KrylovOptions how = options;
  if (options.resume != nullptr) given_up = given_up_before(options.resume->state);
  if (given_up.any == 0) {
    KrylovPairs pairs = search(t, options, given_up);
    if (!pairs.too_rough) return pairs;
    given_up = {1, pairs.products, pairs.rounds, pairs.rough_rounds};
    how.resume = nullptr;
  }
  KernelOperator exact = t;
  exact.rough_kernel = nullptr;
  KrylovPairs pairs = search(exact, how, given_up);
  pairs.too_rough = true;
  pairs.products += given_up.products;
  pairs.rounds += given_up.rounds;
  pairs.rough_rounds = given_up.rough_rounds;
  return pairs;
}

}  // namespace stepwise
