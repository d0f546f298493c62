#include "stepwise/sim/matrix_model.hpp"

#include <utility>

#include "sim/moment_sums.hpp"

namespace stepwise {

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
  model.apply = [embed = model.embed, sums = MomentSums(d, covariance, 0), f = std::vector<double>(numbers(d, own)),
                 &comm, pairing, samples](MatrixView<const double> x, MatrixView<double> y) mutable {
    const MatrixView<double> f_view{f.data(), x.rows, x.cols, x.rows};
    embed(x, f_view);
    const double factor = 1 / pairing.norm(samples);
    for (std::int64_t i = 0; i < y.cols; ++i) {
      for (std::int64_t j = 0; j < y.rows; ++j) y(j, i) = factor * f_view(j, i);
    }
    apply_pairing(pairing, y);
    sums.clear();
    sums.add(f_view, y);
    sum(comm, sums.data);
    return sums.moments(1, static_cast<double>(samples));
  };
  return model;
}

MatrixModel diagonal_model(std::vector<double> gamma, std::int64_t outputs, const Communicator& comm) {
  MatrixModel model{outputs, static_cast<std::int64_t>(gamma.size()), true, false, &comm, {}, {}};
  model.apply = [gamma = std::move(gamma), outputs](MatrixView<const double> x, MatrixView<double> y) {
    MomentSums sums(outputs, false, 0);
    for (std::int64_t k = 0; k < x.cols; ++k) {
      for (std::int64_t j = 0; j < x.rows; ++j) y(j, k) = gamma[static_cast<std::size_t>(k)] * x(j, k);
    }
    sums.add(x, y);
    return sums.moments(1, 1);
  };
  return model;
}

}  // namespace stepwise
