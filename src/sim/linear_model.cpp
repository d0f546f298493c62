#include <algorithm>
#include <memory>
#include <span>

#include "sim/half_gamma.hpp"
#include "sim/moment_sums.hpp"

namespace stepwise {
namespace {

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
  MomentSums sums_;
};

}  // namespace

MatrixModel linear_model(const Samples& own, std::int64_t outputs, std::int64_t samples, const Communicator& comm,
                         const Pairing& pairing, bool covariance) {
  MatrixModel model{outputs, own.features, true, covariance, &comm, {}, {}};
  if (!covariance && 2 * own.features <= 3 * samples) {
    const auto gamma = std::make_shared<HalfGamma>(own, outputs, samples, comm, pairing);
    model.apply = [gamma, sums = MomentSums(outputs, false, 0)](MatrixView<const double> w,
                                                                MatrixView<double> y) mutable {
      (*gamma)(w, y);
      sums.clear();
      sums.add(w, y);
      return sums.moments(1, 1);
    };
  } else {
    model.apply = LinearPass(own, outputs, samples, comm, pairing, covariance);
  }
  model.embed = [&own](MatrixView<const double> w, MatrixView<double> f) {
    gemm(1, Transpose::no, w, Transpose::no, {own.data.data(), own.features, own.count, own.features}, 0, f);
  };
  return model;
}

}  // namespace stepwise
