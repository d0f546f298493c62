#include "stepwise/sim/matrix_model.hpp"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

std::size_t numbers(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows * cols);
}

/// a <- factor (a + a^T) / 2
void symmetrise(double factor, MatrixView<double> a) {
  for (std::int64_t j = 0; j < a.cols; ++j) {
    for (std::int64_t i = 0; i <= j; ++i) a(i, j) = a(j, i) = factor * (a(i, j) + a(j, i)) / 2;
  }
}

/// What is summed over the ranks in one go: C, the covariance where it is wanted, and `rest` numbers more.
struct Sums {
  Sums(std::int64_t outputs, bool with_covariance, std::int64_t rest)
      : d(outputs), covariance(with_covariance), data(numbers(d, d) * (covariance ? 2 : 1) + numbers(rest, 1)) {}
  [[nodiscard]] MatrixView<double> c() { return {data.data(), d, d, d}; }
  [[nodiscard]] MatrixView<double> f2() { return {data.data() + numbers(d, d), d, d, d}; }
  [[nodiscard]] double* rest() { return data.data() + numbers(d, d) * (covariance ? 2 : 1); }
  void clear() { std::fill(data.begin(), data.end(), 0.0); }
  /// Adds what some samples contribute, f and B f given.
  void add(MatrixView<const double> f, MatrixView<const double> bf) {
    gemm(1, Transpose::no, f, Transpose::yes, bf, 1, c());
    if (covariance) gemm(1, Transpose::no, f, Transpose::yes, f, 1, f2());
  }
  [[nodiscard]] Moments moments(double norm, double samples) {
    symmetrise(1 / norm, c());
    if (covariance) symmetrise(1 / samples, f2());
    const auto size = static_cast<std::ptrdiff_t>(numbers(d, d));
    return {{data.begin(), data.begin() + size},
            covariance ? std::vector<double>(data.begin() + size, data.begin() + 2 * size) : std::vector<double>()};
  }

  std::int64_t d;
  bool covariance;
  std::vector<double> data;
};

/// One pass over the features: each block of samples is multiplied with W, and with its own embeddings, while it is in
/// the cache.
class LinearPass {
 public:
  LinearPass(const Samples& own, std::int64_t outputs, std::int64_t samples, const Communicator& comm,
             const Pairing& pairing, bool covariance)
      : own_(own),
        samples_(samples),
        comm_(comm),
        pairing_(pairing),
        block_(std::max<std::int64_t>(1, 64 / pairing.views) * pairing.views),
        f_(numbers(outputs, block_)),
        bf_(f_.size()),
        sums_(outputs, covariance, outputs * own.features) {}

  Moments operator()(MatrixView<const double> w, MatrixView<double> y) {
    const std::int64_t d = w.rows;
    const MatrixView<double> sum_y{sums_.rest(), d, y.cols, d};
    sums_.clear();
    for (std::int64_t begin = 0; begin < own_.count; begin += block_) {
      const std::int64_t count = std::min(block_, own_.count - begin);
      const MatrixView<const double> phi{own_.sample(begin), own_.features, count, own_.features};
      const MatrixView<double> f{f_.data(), d, count, d};
      const MatrixView<double> bf{bf_.data(), d, count, d};
      gemm(1, Transpose::no, w, Transpose::no, phi, 0, f);
      std::copy_n(f_.data(), numbers(d, count), bf_.data());
      apply_pairing(pairing_, bf);
      sums_.add(f, bf);
      gemm(1 / pairing_.norm(samples_), Transpose::no, bf, Transpose::yes, phi, 1, sum_y);
    }
    sum(comm_, sums_.data);
    for (std::int64_t j = 0; j < y.cols; ++j) std::copy_n(sum_y.column(j), d, y.column(j));
    return sums_.moments(pairing_.norm(samples_), static_cast<double>(samples_));
  }

 private:
  const Samples& own_;
  std::int64_t samples_;
  const Communicator& comm_;
  Pairing pairing_;
  std::int64_t block_;
  std::vector<double> f_;
  std::vector<double> bf_;
  Sums sums_;
};

}  // namespace

MatrixModel linear_model(const Samples& own, std::int64_t outputs, std::int64_t samples, const Communicator& comm,
                         const Pairing& pairing, bool covariance) {
  MatrixModel model{outputs, own.features, true, covariance, &comm, {}, {}};
  model.apply = LinearPass(own, outputs, samples, comm, pairing, covariance);
  model.embed = [&own](MatrixView<const double> w, MatrixView<double> f) {
    gemm(1, Transpose::no, w, Transpose::no, {own.data.data(), own.features, own.count, own.features}, 0, f);
  };
  return model;
}

MatrixModel kernel_model(ProductWithK product, BlockVector f0, const Communicator& comm, const Pairing& pairing,
                         bool covariance) {
  MatrixModel model{f0.width, f0.range.size(), false, covariance, &comm, {}, {}};
  const std::int64_t d = f0.width;
  const std::int64_t own = f0.range.size();
  const std::int64_t samples = f0.samples;
  model.embed = [product = std::move(product), f0 = std::move(f0)](MatrixView<const double> x, MatrixView<double> f) {
    product(x, f);
    const auto start = f0.local();
    for (std::int64_t i = 0; i < f.cols; ++i) {
      for (std::int64_t j = 0; j < f.rows; ++j) f(j, i) += start(j, i);
    }
  };
  model.apply = [embed = model.embed, sums = Sums(d, covariance, 0), f = std::vector<double>(numbers(d, own)), &comm,
                 pairing, samples](MatrixView<const double> x, MatrixView<double> y) mutable {
    const MatrixView<double> f_view{f.data(), x.rows, x.cols, x.rows};
    embed(x, f_view);
    for (std::int64_t i = 0; i < y.cols; ++i) std::copy_n(f_view.column(i), y.rows, y.column(i));
    apply_pairing(pairing, y);
    sums.clear();
    sums.add(f_view, y);
    sum(comm, sums.data);
    const double norm = pairing.norm(samples);
    for (std::int64_t i = 0; i < y.cols; ++i) {
      for (std::int64_t j = 0; j < y.rows; ++j) y(j, i) /= norm;
    }
    return sums.moments(norm, static_cast<double>(samples));
  };
  return model;
}

MatrixModel diagonal_model(std::vector<double> gamma, std::int64_t outputs, const Communicator& comm) {
  MatrixModel model{outputs, static_cast<std::int64_t>(gamma.size()), true, false, &comm, {}, {}};
  model.apply = [gamma = std::move(gamma), outputs](MatrixView<const double> x, MatrixView<double> y) {
    Sums sums(outputs, false, 0);
    for (std::int64_t k = 0; k < x.cols; ++k) {
      for (std::int64_t j = 0; j < x.rows; ++j) y(j, k) = gamma[static_cast<std::size_t>(k)] * x(j, k);
    }
    sums.add(x, y);
    return sums.moments(1, 1);
  };
  return model;
}

}  // namespace stepwise
