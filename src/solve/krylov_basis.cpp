#include "solve/krylov_basis.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "stepwise/core/random.hpp"
#include "stepwise/core/timing.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/solve/small_eigen.hpp"

namespace stepwise {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();
constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr std::int64_t chunk = 1024;  // samples rotated at a time

// Rounding of a product with K, and what a squared K-length must stand above: four digits beyond its own rounding, or
// one where products are rough and a later search repairs what goes wrong.
constexpr double rough_eps = 6e-8;
constexpr double unreliable = 1e4 * eps;
constexpr double rough_unreliable = 2 * rough_eps;

}  // namespace

void copy(MatrixView<const double> from, MatrixView<double> to) {
  for (std::int64_t s = 0; s < from.cols; ++s) std::copy_n(from.column(s), from.rows, to.column(s));
}

KernelBasis::KernelBasis(const Communicator& comm, const KernelOperator& t, std::uint64_t seed, std::int64_t capacity,
                         std::int64_t width)
    : comm_(comm),
      t_(t),
      seed_(seed),
      own_(sample_share(comm, t.samples, t.group)),
      capacity_(capacity),
      q_(capacity, own_.size()),
      kq_(capacity, own_.size()),
      w_(width, own_.size()),
      kw_(width, own_.size()),
      outside_(width, own_.size()),
      scratch_(std::max(capacity, width), std::min(own_.size(), chunk)) {}

std::vector<double> KernelBasis::inner(MatrixView<const double> a, MatrixView<const double> b) const {
  std::vector<double> product(area(a.rows, b.rows));
  gemm(1, Transpose::no, a, Transpose::yes, b, 0, {product.data(), a.rows, b.rows, a.rows});
  sum(comm_, product);
  return product;
}

void KernelBasis::multiply(MatrixView<const double> v, MatrixView<double> kv) {
  if (!t_.rough_kernel) {
    multiply_exactly(v, kv);
    return;
  }
  count_product(t_.rough_kernel, v, kv);
  ++rough_rounds;
}

void KernelBasis::multiply_exactly(MatrixView<const double> v, MatrixView<double> kv) {
  count_product(t_.kernel, v, kv);
}

void KernelBasis::count_product(const Product& product, MatrixView<const double> v, MatrixView<double> kv) {
  const Stopwatch watch;
  product(v, kv);
  if (scale_ == 0) {
    scale_ = largest(kv);
    if (!std::isfinite(scale_)) {
      throw CollectiveError(
          ExitCode::input,
          fmt::format("the kernel matrix has entries that are NaN or infinite{}: rescale the data or the kernel's "
                      "parameters",
                      t_.rough_kernel ? " in single precision (--kernel.storage double has a wider range)" : ""));
    }
  }
  for (std::int64_t s = 0; s < kv.cols; ++s) {
    for (std::int64_t j = 0; j < kv.rows; ++j) kv(j, s) /= scale_;
  }
  product_seconds += watch.seconds();
  products += v.rows;
  ++rounds;
}

/// Largest entry, 1 if all are zero, infinite if one is NaN.
double KernelBasis::largest(MatrixView<const double> v) const {
  double entry = 0;
  for (std::int64_t s = 0; s < v.cols; ++s) {
    for (std::int64_t j = 0; j < v.rows; ++j) {
      if (!(std::abs(v(j, s)) <= entry)) entry = std::isnan(v(j, s)) ? infinite : std::abs(v(j, s));
    }
  }
  entry = max(comm_, entry);
  return entry > 0 ? entry : 1;
}

void KernelBasis::draw(std::int64_t first, std::int64_t count) {
  const auto v = w_.view(first, count);
  for (std::int64_t s = 0; s < v.cols; ++s) {
    for (std::int64_t j = 0; j < count; ++j) {
      v(j, s) = RandomStream(seed_, Purpose::start, own_.begin + s, narrow(drawn_ + j, "random vectors")).normal();
    }
  }
  drawn_ += count;
}

std::vector<double> KernelBasis::orthogonalise(std::int64_t count, std::int64_t first, bool with_image) {
  const std::int64_t against = size_ - first;
  const auto w = w_.view(0, count);
  std::vector<double> c = inner(kq_.view(first, against), w);
  const MatrixView<const double> coefficients{c.data(), against, count, std::max(against, std::int64_t{1})};
  gemm(-1, Transpose::yes, coefficients, Transpose::no, q_.view(first, against), 1, w);
  if (with_image) {
    gemm(-1, Transpose::yes, coefficients, Transpose::no, kq_.view(first, against), 1, kw_.view(0, count));
  }
  return c;
}

/// For each vector of w, the squared K-length below which it is rounding: w^T K w carries an error of eps ||K|| |w|^2.
std::vector<double> KernelBasis::length_noise(std::int64_t count, double norm_of_t, bool rough) {
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
  const double relative = (rough ? rough_unreliable : unreliable) * kernel_norm_;
  const double absolute = std::pow(10 * (rough ? rough_eps : eps) * norm_of_t, 2);
  std::vector<double> noise;
  for (std::size_t j = 0; j < size; ++j) noise.push_back(std::max(relative * squares[j], absolute));
  return noise;
}

/// w := Lambda^{-1/2} U^T D w with D (w^T K w) D = U Lambda U^T and D = diag(scale); K w likewise. What Lambda leaves
/// below `floor` is dropped. Returns how many are left.
std::int64_t KernelBasis::normalise(std::int64_t count, const std::vector<double>& scale, double floor) {
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
void KernelBasis::rotate(Rows& rows, std::int64_t size, const std::vector<double>& s, std::int64_t kept) {
  const auto v = rows.view(0, size);
  for (std::int64_t begin = 0; begin < v.cols; begin += chunk) {
    const std::int64_t count = std::min(chunk, v.cols - begin);
    const auto target = scratch_.view(0, kept).block(0, 0, kept, count);
    gemm(1, Transpose::yes, {s.data(), size, kept, size}, Transpose::no, v.block(0, begin, size, count), 0, target);
    copy(target, v.block(0, begin, kept, count));
  }
}

std::int64_t KernelBasis::append(std::int64_t count, double norm_of_t) {
  return append(count, norm_of_t, t_.rough_kernel != nullptr);
}

std::int64_t KernelBasis::append_exact(std::int64_t count) {
  return append(count, 0, false);
}

std::int64_t KernelBasis::append(std::int64_t count, double norm_of_t, bool rough) {
  // In units of their noise short vectors count as much as long ones.
  std::vector<double> scale = length_noise(count, norm_of_t, rough);
  for (double& noise : scale) noise = noise > 0 ? 1 / std::sqrt(noise) : 0;
  std::int64_t kept = normalise(count, scale, 1);
  // Once more if that took away more than rounding; what loses its length then lies in the span of the basis.
  constexpr int passes = 3;
  constexpr double clean = 1e-3;
  bool again = size_ > 0;
  for (int pass = 0; pass < passes && kept > 0 && again; ++pass) {
    const std::vector<double> c = orthogonalise(kept, 0, true);
    again = std::any_of(c.begin(), c.end(), [](double x) { return !(std::abs(x) <= clean); });
    kept = normalise(kept, std::vector<double>(static_cast<std::size_t>(kept), 1), 0.25);
  }
  kept = std::min(kept, capacity_ - size_);
  copy(w_.view(0, kept), q_.view(size_, kept));
  copy(kw_.view(0, kept), kq_.view(size_, kept));
  if (kept > 0) {
    reach_ = last_ < size_ ? last_ : 0;
    last_ = size_;
    size_ += kept;
  }
  return kept;
}

std::int64_t KernelBasis::append_random(std::int64_t count, double norm_of_t) {
  draw(0, count);
  multiply(w(count), kw(count));
  copy(kw(count), w(count));
  t_.pairing(w(count));
  (void)orthogonalise(count, 0, false);
  multiply(w(count), kw(count));
  return append(count, norm_of_t);
}

void KernelBasis::combine(const std::vector<double>& s, std::int64_t kept) {
  rotate(q_, size_, s, kept);
  rotate(kq_, size_, s, kept);
  size_ = kept;
  last_ = kept;
}

void KernelBasis::combination(const std::vector<double>& s, MatrixView<double> target) {
  gemm(1, Transpose::yes, {s.data(), size_, target.rows, size_}, Transpose::no, q_.view(0, size_), 0, target);
}

void KernelBasis::restore(std::int64_t size,
                          const std::function<void(MatrixView<double> q, MatrixView<double> kq)>& read) {
  size_ = size;
  read(q_.view(0, size), kq_.view(0, size));
}

void KernelBasis::replace(const BlockVector& vectors, const BlockVector& images) {
  size_ = vectors.width;
  last_ = size_;
  copy(vectors.local(), q_.view(0, size_));
  copy(images.local(), kq_.view(0, size_));
}

}  // namespace stepwise
