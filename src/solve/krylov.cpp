#include "stepwise/solve/krylov.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>

#include "solve/small_eigen.hpp"
#include "stepwise/core/random.hpp"
#include "stepwise/core/timing.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();
constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr std::int64_t check_width = 8;  // random vectors that look for what the start may have missed
constexpr std::int64_t check_steps = 2;  // and how many blocks deep they look

std::size_t area(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows * cols);
}

/// Vectors over the samples, one per row, with room for more of them.
class Rows {
 public:
  Rows(std::int64_t capacity, std::int64_t samples)
      : capacity_(capacity), samples_(samples), data_(area(capacity, samples)) {}
  [[nodiscard]] MatrixView<double> view(std::int64_t first, std::int64_t count) {
    return {data_.data() + first, count, samples_, capacity_};
  }

 private:
  std::int64_t capacity_;
  std::int64_t samples_;
  std::vector<double> data_;
};

void copy(MatrixView<const double> from, MatrixView<double> to) {
  for (std::int64_t s = 0; s < from.cols; ++s) std::copy_n(from.column(s), from.rows, to.column(s));
}

class Search {
 public:
  Search(const Communicator& comm, const KernelOperator& t, const KrylovOptions& options, Range own)
      : comm_(comm),
        t_(t),
        options_(options),
        own_(own),
        sizes_(krylov_sizes(t.samples, options)),
        width_(sizes_.block + check_width),
        q_(sizes_.basis, own.size()),
        kq_(sizes_.basis, own.size()),
        w_(width_, own.size()),
        kw_(width_, own.size()),
        scratch_(sizes_.basis, std::min(own.size(), chunk)),
        h_(area(sizes_.basis, sizes_.basis)) {}

  KrylovPairs run();

 private:
  static constexpr std::int64_t chunk = 1024;  // samples rotated at a time

  [[nodiscard]] std::vector<double> inner(MatrixView<const double> a, MatrixView<const double> b) {
    std::vector<double> product(area(a.rows, b.rows));
    gemm(1, Transpose::no, a, Transpose::yes, b, 0, {product.data(), a.rows, b.rows, a.rows});
    sum(comm_, product);
    return product;
  }
  /// a_j . b_j for each vector.
  [[nodiscard]] std::vector<double> dots(const BlockVector& a, const BlockVector& b) {
    std::vector<double> products(static_cast<std::size_t>(a.width));
    for (std::int64_t s = 0; s < own_.size(); ++s) {
      for (std::int64_t j = 0; j < a.width; ++j) {
        products[static_cast<std::size_t>(j)] += a.local()(j, s) * b.local()(j, s);
      }
    }
    sum(comm_, products);
    return products;
  }
  void multiply(MatrixView<const double> v, MatrixView<double> kv) {
    const Stopwatch watch;
    t_.kernel(v, kv);
    if (scale_ == 0) {
      scale_ = largest(kv);
      if (!std::isfinite(scale_)) {
        throw CollectiveError(
            ExitCode::input,
            "the kernel matrix has entries that are NaN or infinite: rescale the data or the kernel's parameters");
      }
    }
    for (std::int64_t s = 0; s < kv.cols; ++s) {
      for (std::int64_t j = 0; j < kv.rows; ++j) kv(j, s) /= scale_;
    }
    pairs_.product_seconds += watch.seconds();
    pairs_.products += v.rows;
    ++pairs_.rounds;
  }
  /// Largest entry, 1 if all are zero, infinite if one is NaN.
  [[nodiscard]] double largest(MatrixView<const double> v) {
    double entry = 0;
    for (std::int64_t s = 0; s < v.cols; ++s) {
      for (std::int64_t j = 0; j < v.rows; ++j) {
        if (!(std::abs(v(j, s)) <= entry)) entry = std::isnan(v(j, s)) ? infinite : std::abs(v(j, s));
      }
    }
    entry = max(comm_, entry);
    return entry > 0 ? entry : 1;
  }
  void add_random(std::int64_t first, std::int64_t count);
  std::vector<double> orthogonalise(std::int64_t count, bool with_image);
  std::int64_t normalise(std::int64_t count, const std::vector<double>& scale, double floor);
  [[nodiscard]] std::vector<double> length_noise(std::int64_t count);
  std::int64_t append_random();
  std::int64_t append(std::int64_t count);
  void rotate(Rows& rows, std::int64_t size, const std::vector<double>& s, std::int64_t kept);
  void project(const std::vector<double>& gram);
  void restart();
  void restart_from(const std::vector<double>& values, std::int64_t kept);
  [[nodiscard]] BlockVector rayleigh_ritz(BlockVector& a, BlockVector& ka);
  [[nodiscard]] bool converged();
  void expand();
  [[nodiscard]] bool finished();
  [[nodiscard]] bool refine(const BlockVector& a, const BlockVector& ka, BlockVector& residual, BlockVector& image);

  const Communicator& comm_;
  const KernelOperator& t_;
  const KrylovOptions& options_;
  Range own_;
  KrylovSizes sizes_;
  std::int64_t width_;
  Rows q_;   // basis, K-orthonormal
  Rows kq_;  // K times it
  Rows w_;   // the block being worked on
  Rows kw_;
  Rows scratch_;
  double scale_ = 0;       // K is divided by its first product's largest entry, so that no square over- or underflows
  std::vector<double> h_;  // Q^T K T Q, sizes_.basis x sizes_.basis
  std::int64_t size_ = 0;  // vectors in the basis
  std::int64_t last_ = 0;  // the first vector of the last block
  SmallEigenpairs ritz_;   // of h_
  std::vector<double> outside_;  // ||T y_i - theta_i y_i||_K of the leading Ritz vectors
  double kernel_norm_ = 0;       // lower bound of ||K||_2 from the products
  double first_residual_ = 0;
  std::int64_t drawn_ = 0;           // random vectors so far
  std::int64_t steps_checked_ = -1;  // steps since random vectors joined to look for missed modes
  bool joined_ = false;
  double true_residual_ = infinite;  // the worst one last time it was computed
  KrylovPairs pairs_;
};

void Search::add_random(std::int64_t first, std::int64_t count) {
  const auto v = w_.view(first, count);
  for (std::int64_t s = 0; s < v.cols; ++s) {
    for (std::int64_t j = 0; j < count; ++j) {
      v(j, s) =
          RandomStream(options_.seed, Purpose::start, own_.begin + s, narrow(drawn_ + j, "random vectors")).normal();
    }
  }
  drawn_ += count;
}

/// w -= Q (Q^T K w) for the first `count` vectors of w, and the same of K w if `with_image`. Returns Q^T K w.
std::vector<double> Search::orthogonalise(std::int64_t count, bool with_image) {
  const auto w = w_.view(0, count);
  std::vector<double> c = inner(kq_.view(0, size_), w);
  const MatrixView<const double> coefficients{c.data(), size_, count, std::max(size_, std::int64_t{1})};
  gemm(-1, Transpose::yes, coefficients, Transpose::no, q_.view(0, size_), 1, w);
  if (with_image) gemm(-1, Transpose::yes, coefficients, Transpose::no, kq_.view(0, size_), 1, kw_.view(0, count));
  return c;
}

/// For each vector of w, the squared K-length below which it is rounding: w^T K w carries an error of eps ||K|| |w|^2.
std::vector<double> Search::length_noise(std::int64_t count) {
  const auto w = w_.view(0, count);
  const auto kw = kw_.view(0, count);
  const auto size = static_cast<std::size_t>(count);
  std::vector<double> squares(2 * size);
  for (std::int64_t s = 0; s < w.cols; ++s) {
    for (std::int64_t j = 0; j < count; ++j) {
      squares[static_cast<std::size_t>(j)] += w(j, s) * w(j, s);
      squares[static_cast<std::size_t>(count + j)] += kw(j, s) * kw(j, s);
    }
  }
  sum(comm_, squares);
  for (std::size_t j = 0; j < size; ++j) {
    if (squares[j] > 0) kernel_norm_ = std::max(kernel_norm_, std::sqrt(squares[size + j] / squares[j]));
  }
  const double theta = ritz_.values.empty() ? 0 : std::max(ritz_.values.front(), -ritz_.values.back());
  std::vector<double> noise;
  for (std::size_t j = 0; j < size; ++j) {
    noise.push_back(std::max(100 * eps * kernel_norm_ * squares[j], std::pow(10 * eps * theta, 2)));
  }
  return noise;
}

/// w := Lambda^{-1/2} U^T D w with D (w^T K w) D = U Lambda U^T and D = diag(scale); K w likewise. What Lambda leaves
/// below `floor` is dropped. Returns how many are left.
std::int64_t Search::normalise(std::int64_t count, const std::vector<double>& scale, double floor) {
  std::vector<double> scaled = inner(w_.view(0, count), kw_.view(0, count));
  for (std::size_t j = 0; j < scale.size(); ++j) {
    for (std::size_t i = 0; i < scale.size(); ++i) scaled[i + j * scale.size()] *= scale[i] * scale[j];
  }
  SmallEigenpairs lengths = small_eigenpairs(comm_, scaled, count);
  std::int64_t kept = 0;
  while (kept < count && lengths.values[static_cast<std::size_t>(kept)] > floor) ++kept;
  for (std::int64_t j = 0; j < kept; ++j) {
    const double factor = 1 / std::sqrt(lengths.values[static_cast<std::size_t>(j)]);
    for (std::int64_t i = 0; i < count; ++i) {
      lengths.vectors[area(j, count) + static_cast<std::size_t>(i)] *= factor * scale[static_cast<std::size_t>(i)];
    }
  }
  rotate(w_, count, lengths.vectors, kept);
  rotate(kw_, count, lengths.vectors, kept);
  return kept;
}

/// The first `size` rows become their combinations by the first `kept` columns of s.
void Search::rotate(Rows& rows, std::int64_t size, const std::vector<double>& s, std::int64_t kept) {
  const auto v = rows.view(0, size);
  for (std::int64_t begin = 0; begin < v.cols; begin += chunk) {
    const std::int64_t count = std::min(chunk, v.cols - begin);
    const auto target = scratch_.view(0, kept).block(0, 0, kept, count);
    gemm(1, Transpose::yes, {s.data(), size, kept, size}, Transpose::no, v.block(0, begin, size, count), 0, target);
    copy(target, v.block(0, begin, kept, count));
  }
}

/// Makes the first `count` vectors of w, already orthogonal to the basis once and with known K w, its next block.
std::int64_t Search::append(std::int64_t count) {
  // In units of their noise short vectors count as much as long ones.
  std::vector<double> scale = length_noise(count);
  for (double& noise : scale) noise = noise > 0 ? 1 / std::sqrt(noise) : 0;
  std::int64_t kept = normalise(count, scale, 1);
  // What loses its length once more lies in the span of the basis, and its rest is rounding. The second pass is for
  // directions that came out of the first with few good digits.
  constexpr int passes = 2;
  for (int pass = 0; pass < passes && kept > 0; ++pass) {
    (void)orthogonalise(kept, true);
    kept = normalise(kept, std::vector<double>(static_cast<std::size_t>(kept), 1), 0.25);
  }
  kept = std::min(kept, sizes_.basis - size_);
  copy(w_.view(0, kept), q_.view(size_, kept));
  copy(kw_.view(0, kept), kq_.view(size_, kept));
  last_ = size_;
  size_ += kept;
  return kept;
}

/// Rayleigh-Ritz, and what of T y lies outside the basis: `gram` is that of T times the last block, outside.
void Search::project(const std::vector<double>& gram) {
  std::vector<double> h(area(size_, size_));
  for (std::int64_t j = 0; j < size_; ++j) {
    for (std::int64_t i = 0; i < size_; ++i) {
      const auto at = [&](std::int64_t r, std::int64_t c) {
        return h_[area(c, sizes_.basis) + static_cast<std::size_t>(r)];
      };
      h[area(j, size_) + static_cast<std::size_t>(i)] = (at(i, j) + at(j, i)) / 2;
    }
  }
  ritz_ = small_eigenpairs(comm_, h, size_);
  const std::int64_t block = size_ - last_;
  outside_.assign(static_cast<std::size_t>(std::min(options_.modes, size_)), 0);
  for (std::size_t i = 0; i < outside_.size(); ++i) {
    const double* tail = ritz_.vectors.data() + area(static_cast<std::int64_t>(i), size_) + last_;
    double square = 0;
    for (std::int64_t r = 0; r < block; ++r) {
      for (std::int64_t c = 0; c < block; ++c)
        square += tail[r] * gram[area(c, block) + static_cast<std::size_t>(r)] * tail[c];
    }
    outside_[i] = std::sqrt(std::max(square, 0.0));
  }
}

bool Search::converged() {
  if (size_ < options_.modes || ritz_.values.empty()) return false;
  const double theta = ritz_.values.front();
  const double noise = 100 * static_cast<double>(t_.samples) * eps * theta;
  if (ritz_.values[static_cast<std::size_t>(options_.modes - 1)] <= noise) return false;
  const double worst = *std::max_element(outside_.begin(), outside_.end()) / theta;
  if (first_residual_ == 0) first_residual_ = worst;
  if (options_.progress && worst > 0) {
    options_.progress(std::log(worst / first_residual_) /
                      std::log(std::min(options_.tolerance / first_residual_, 0.5)));
  }
  // The random vectors join early enough for their steps to be of use to the others as well.
  if (steps_checked_ < 0 && worst <= 100 * options_.tolerance) steps_checked_ = 0;
  return worst <= options_.tolerance / 2 && steps_checked_ >= check_steps;
}

/// Keeps the leading Ritz vectors only; they take their common residual, the next block, with them.
void Search::restart() {
  const std::int64_t kept = std::min(options_.modes + sizes_.block, size_ - 1);
  rotate(q_, size_, ritz_.vectors, kept);
  rotate(kq_, size_, ritz_.vectors, kept);
  restart_from(ritz_.values, kept);
  ++pairs_.restarts;
}

/// The basis consists of `kept` Ritz vectors now.
void Search::restart_from(const std::vector<double>& values, std::int64_t kept) {
  std::fill(h_.begin(), h_.end(), 0.0);
  for (std::int64_t i = 0; i < kept; ++i) {
    h_[area(i, sizes_.basis) + static_cast<std::size_t>(i)] = values[static_cast<std::size_t>(i)];
  }
  size_ = kept;
  last_ = kept;
}

/// A block of random vectors as the next one of the basis, through T: dual vectors are to lie in its range, free of the
/// null space of K.
std::int64_t Search::append_random() {
  const std::int64_t count = sizes_.block;
  const auto w = w_.view(0, count);
  const auto kw = kw_.view(0, count);
  add_random(0, count);
  multiply(w, kw);
  copy(kw, w);
  t_.pairing(w);
  (void)orthogonalise(count, false);
  multiply(w, kw);
  return append(count);
}

KrylovPairs Search::run() {
  (void)append_random();
  do {
    expand();
  } while (!finished());
  return std::move(pairs_);
}

/// Block after block until the tolerance is met, or nothing is left to be found.
void Search::expand() {
  while (size_ > 0) {
    if (pairs_.rounds >= options_.max_products) {
      const double worst = outside_.empty() ? 1 : *std::max_element(outside_.begin(), outside_.end());
      throw CollectiveError(
          ExitCode::numerical,
          fmt::format("the Krylov method has not converged after {} products: largest residual {:.3g}, wanted {:.3g}; "
                      "loosen --solver.tolerance, or use --solver.method cholesky",
                      pairs_.rounds, worst / std::max(ritz_.values.front(), eps), options_.tolerance));
    }
    const std::int64_t block = size_ - last_;
    copy(kq_.view(last_, block), w_.view(0, block));
    t_.pairing(w_.view(0, block));  // w = T q
    const std::vector<double> c = orthogonalise(block, false);
    for (std::int64_t j = 0; j < block; ++j) {
      for (std::int64_t i = 0; i < size_; ++i) {
        const double x = c[area(j, size_) + static_cast<std::size_t>(i)];
        h_[area(last_ + j, sizes_.basis) + static_cast<std::size_t>(i)] = x;
        h_[area(i, sizes_.basis) + static_cast<std::size_t>(last_ + j)] = x;
      }
    }
    std::int64_t count = block;
    if (steps_checked_ == 0 && !joined_) {
      const std::int64_t room = std::min(check_width, width_ - block);
      add_random(block, room);
      count += room;
      joined_ = true;
    }
    multiply(w_.view(0, count), kw_.view(0, count));
    const std::vector<double> outside = inner(w_.view(0, block), kw_.view(0, block));
    project(outside);
    if (steps_checked_ >= 0) ++steps_checked_;
    if (converged()) break;
    if (size_ == t_.samples) {
      pairs_.exhausted = true;
      break;
    }
    if (size_ + count > sizes_.basis) restart();
    if (count > block) {
      // The random vectors meet the basis for the first time.
      for (int pass = 0; pass < 2; ++pass) (void)orthogonalise(count, true);
    }
    if (append(count) > 0) continue;
    // An invariant subspace: what is left of K must be found from elsewhere, if anything is.
    if (append_random() == 0) {
      pairs_.exhausted = true;
      break;
    }
  }
  pairs_.exhausted = pairs_.exhausted || size_ == 0;
}

/// The wanted Ritz vectors with fresh products: made orthonormal once more, with their true residuals. True if these
/// meet the tolerance, or the search cannot go on.
bool Search::finished() {
  std::int64_t d = 0;
  const std::int64_t most = std::min(options_.modes, size_);
  const double noise = ritz_.values.empty() ? 0
                                            : 100 * static_cast<double>(t_.samples) * eps *
                                                  std::max(ritz_.values.front(), -ritz_.values.back());
  while (d < most && ritz_.values[static_cast<std::size_t>(d)] > noise) ++d;
  BlockVector a;
  BlockVector ka;
  attempt(comm_, [&] {
    a = make_block_vector(comm_, t_.samples, d, t_.group);
    ka = a;
  });
  pairs_.values.clear();
  pairs_.residuals.clear();
  if (d > 0) {
    rotate(q_, size_, ritz_.vectors, d);
    copy(q_.view(0, d), a.local());
    multiply(a.local(), ka.local());
    BlockVector residual = rayleigh_ritz(a, ka);
    BlockVector image = residual;
    multiply(residual.local(), image.local());
    for (const double square : dots(residual, image)) {
      pairs_.residuals.push_back(std::sqrt(std::max(square, 0.0)) / pairs_.values.front());
    }
    if (refine(a, ka, residual, image)) return false;
  }
  for (double& value : pairs_.values) value *= scale_;
  const double root = std::sqrt(scale_);
  for (double& x : a.data) x /= root;
  for (double& x : ka.data) x *= root;
  pairs_.vectors = std::move(a);
  pairs_.kernel_vectors = std::move(ka);
  return true;
}

/// Turns the d vectors a and their images into K-orthonormal Ritz vectors of their span; sets the values and returns
/// T a - theta a.
BlockVector Search::rayleigh_ritz(BlockVector& a, BlockVector& ka) {
  const std::int64_t d = a.width;
  const auto combine = [d](BlockVector& v, const std::vector<double>& s) {
    BlockVector result = v;
    gemm(1, Transpose::yes, {s.data(), d, d, d}, Transpose::no, v.local(), 0, result.local());
    v = std::move(result);
  };
  SmallEigenpairs lengths = small_eigenpairs(comm_, inner(a.local(), ka.local()), d);
  for (std::int64_t j = 0; j < d; ++j) {
    const double factor = 1 / std::sqrt(lengths.values[static_cast<std::size_t>(j)]);
    for (std::int64_t i = 0; i < d; ++i) lengths.vectors[area(j, d) + static_cast<std::size_t>(i)] *= factor;
  }
  combine(a, lengths.vectors);
  combine(ka, lengths.vectors);
  BlockVector ta = ka;
  t_.pairing(ta.local());
  const SmallEigenpairs best = small_eigenpairs(comm_, inner(ka.local(), ta.local()), d);
  for (BlockVector* v : {&a, &ka, &ta}) combine(*v, best.vectors);
  pairs_.values = best.values;
  for (std::int64_t s = 0; s < own_.size(); ++s) {
    for (std::int64_t j = 0; j < d; ++j) {
      ta.local()(j, s) -= pairs_.values[static_cast<std::size_t>(j)] * a.local()(j, s);
    }
  }
  return ta;
}

/// Where true residuals are worse than estimated, the search goes on from the Ritz vectors and these residuals, as long
/// as that helps.
bool Search::refine(const BlockVector& a, const BlockVector& ka, BlockVector& residual, BlockVector& image) {
  const double before = true_residual_;
  true_residual_ = *std::max_element(pairs_.residuals.begin(), pairs_.residuals.end());
  if (true_residual_ <= options_.tolerance || !(true_residual_ < before / 2) || pairs_.exhausted) return false;
  const std::int64_t d = a.width;
  copy(a.local(), q_.view(0, d));
  copy(ka.local(), kq_.view(0, d));
  restart_from(pairs_.values, d);
  std::vector<std::int64_t> order(static_cast<std::size_t>(d));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int64_t i, std::int64_t j) {
    return pairs_.residuals[static_cast<std::size_t>(i)] > pairs_.residuals[static_cast<std::size_t>(j)];
  });
  const std::int64_t count = std::min({d, sizes_.block, sizes_.basis - d});
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t from = order[static_cast<std::size_t>(i)];
    copy(residual.local().block(from, 0, 1, own_.size()), w_.view(i, 1));
    copy(image.local().block(from, 0, 1, own_.size()), kw_.view(i, 1));
  }
  return append(count) > 0;
}

}  // namespace

KrylovSizes krylov_sizes(std::int64_t samples, const KrylovOptions& options) {
  std::int64_t block = options.block;
  if (block == 0) block = options.modes <= 16 ? 16 : options.modes <= 128 ? 24 : 48;
  block = std::min(block, samples);
  return {block, std::min(samples, 2 * options.modes + 12 * block + check_width)};
}

KrylovPairs krylov_pairs(const Communicator& comm, const KernelOperator& t, const KrylovOptions& options) {
  if (options.modes < 1 || options.modes > t.samples) {
    throw CollectiveError(ExitCode::input, fmt::format("--modes is {}, must be from 1 to the number of samples, {}",
                                                       options.modes, t.samples));
  }
  const Range own = sample_share(comm, t.samples, t.group);
  auto search = attempt(comm, [&] { return std::make_unique<Search>(comm, t, options, own); });
  return search->run();
}

}  // namespace stepwise
