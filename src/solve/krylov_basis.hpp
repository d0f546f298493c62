#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "stepwise/dist/block_vector.hpp"
#include "stepwise/solve/krylov.hpp"

namespace stepwise {

/// Entries of a small column-major matrix, or the place of its column `cols`.
inline std::size_t area(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows * cols);
}

void copy(MatrixView<const double> from, MatrixView<double> to);

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

/// A K-orthonormal basis Q of vectors over the samples with its image K Q, and the next block w with K w, which is
/// worked on until it can be appended. Every member function is collective; all counts are the same on every rank.
class KernelBasis {
 public:
  /// Room for `capacity` basis vectors and `width` in w.
  KernelBasis(const Communicator& comm, const KernelOperator& t, std::uint64_t seed, std::int64_t capacity,
              std::int64_t width);

  [[nodiscard]] std::int64_t size() const noexcept { return size_; }
  [[nodiscard]] std::int64_t capacity() const noexcept { return capacity_; }
  /// First vector of the block that was appended last.
  [[nodiscard]] std::int64_t last() const noexcept { return last_; }
  /// First vector of what T times the last block has a part in, in exact arithmetic: the block before the last one, or
  /// all that a restart kept.
  [[nodiscard]] std::int64_t reach() const noexcept { return reach_; }
  [[nodiscard]] MatrixView<double> q(std::int64_t first, std::int64_t count) { return q_.view(first, count); }
  [[nodiscard]] MatrixView<double> kq(std::int64_t first, std::int64_t count) { return kq_.view(first, count); }
  [[nodiscard]] MatrixView<double> w(std::int64_t count) { return w_.view(0, count); }
  [[nodiscard]] MatrixView<double> kw(std::int64_t count) { return kw_.view(0, count); }

  /// What w was when keep_outside() was called: the part of T times the last block outside the basis.
  [[nodiscard]] MatrixView<double> outside(std::int64_t count) { return outside_.view(0, count); }
  void keep_outside(std::int64_t count) { copy(w(count), outside(count)); }

  /// kv := K v / scale(), counted and timed; rough if the operator has such products.
  void multiply(MatrixView<const double> v, MatrixView<double> kv);
  /// The same, never rough.
  void multiply_exactly(MatrixView<const double> v, MatrixView<double> kv);
  /// K is divided by the largest entry of its first product, so that no square over- or underflows.
  [[nodiscard]] double scale() const noexcept { return scale_; }

  /// a b^T over all samples: a.rows x b.rows, column-major.
  [[nodiscard]] std::vector<double> inner(MatrixView<const double> a, MatrixView<const double> b) const;

  /// Fills vectors [first, first + count) of w with independent normal numbers.
  void draw(std::int64_t first, std::int64_t count);
  /// w -= Q (Q^T K w) for the first `count` vectors of w and the basis vectors from `first` on, and the same of K w if
  /// `with_image`. Returns Q^T K w.
  std::vector<double> orthogonalise(std::int64_t count, std::int64_t first, bool with_image);
  /// Makes the first `count` vectors of w, with known K w and orthogonal to what exact arithmetic wants, its next
  /// block, without what is rounding: K-lengths below 10 eps `norm_of_t`, or within the error of w^T K w, with the eps
  /// of the products. Returns how many were left.
  std::int64_t append(std::int64_t count, double norm_of_t);
  /// The same for short vectors whose image is that of exact products: nothing is too short.
  std::int64_t append_exact(std::int64_t count);
  /// Appends a block of `count` random vectors, taken through T: dual vectors are to lie in its range, free of the null
  /// space of K. Returns how many were left.
  std::int64_t append_random(std::int64_t count, double norm_of_t);
  /// Keeps the combinations of basis vectors by the first `kept` columns of s, size() rows each.
  void combine(const std::vector<double>& s, std::int64_t kept);
  /// The same combinations, put elsewhere: as many as `target` has rows.
  void combination(const std::vector<double>& s, MatrixView<double> target);
  /// The basis are these vectors now.
  void replace(const BlockVector& vectors, const BlockVector& images);

  std::int64_t products = 0;  ///< vectors multiplied by K
  std::int64_t rounds = 0;    ///< block products
  std::int64_t rough_rounds = 0;
  double product_seconds = 0;  ///< this rank's time in them

  // All that there is to know besides Q and K Q.
  [[nodiscard]] std::array<std::int64_t*, 6> counts() {
    return {&last_, &reach_, &drawn_, &products, &rounds, &rough_rounds};
  }
  [[nodiscard]] std::array<double*, 2> numbers() { return {&scale_, &kernel_norm_}; }
  /// Basis and image, of `size` vectors, are what `read` makes them.
  void restore(std::int64_t size, const std::function<void(MatrixView<double> q, MatrixView<double> kq)>& read);

 private:
  std::int64_t normalise(std::int64_t count, const std::vector<double>& scale, double floor);
  [[nodiscard]] std::vector<double> length_noise(std::int64_t count, double norm_of_t, bool rough);
  std::int64_t append(std::int64_t count, double norm_of_t, bool rough);
  void rotate(Rows& rows, std::int64_t size, const std::vector<double>& s, std::int64_t kept);
  [[nodiscard]] double largest(MatrixView<const double> v) const;

  using Product = std::function<void(MatrixView<const double>, MatrixView<double>)>;
  void count_product(const Product& product, MatrixView<const double> v, MatrixView<double> kv);

  const Communicator& comm_;
  const KernelOperator& t_;
  std::uint64_t seed_;
  Range own_;
  std::int64_t capacity_;
  Rows q_;
  Rows kq_;
  Rows w_;
  Rows kw_;
  Rows outside_;
  Rows scratch_;
  double scale_ = 0;
  double kernel_norm_ = 0;  // lower bound of ||K||_2 / scale from the products
  std::int64_t size_ = 0;
  std::int64_t last_ = 0;
  std::int64_t reach_ = 0;
  std::int64_t drawn_ = 0;  // random vectors so far
};

}  // namespace stepwise
