#include "stepwise/sim/supervised_flow.hpp"

#include <utility>

namespace stepwise {

Dynamics supervised_dynamics(ProductWithK product, BlockVector f0, BlockVector y, const Communicator& comm) {
  Dynamics dynamics{f0.width, f0.range.size(), &comm, {}};
  dynamics.velocity = [product = std::move(product), f0 = std::move(f0), y = std::move(y), &comm](
                          MatrixView<const double> x, MatrixView<double> v) {
    product(x, v);
    const double n = static_cast<double>(f0.samples);
    double squares = 0;
    for (std::int64_t i = 0; i < v.cols; ++i) {
      for (std::int64_t j = 0; j < v.rows; ++j) {
        const double residual = v(j, i) + (f0.local()(j, i) - y.local()(j, i));
        squares += residual * residual;
        v(j, i) = -residual / n;
      }
    }
    return sum(comm, squares) / (2 * n);
  };
  return dynamics;
}

double supervised_stable_rate(double lambda_1, std::int64_t samples) {
  return 2 * static_cast<double>(samples) / lambda_1;
}

}  // namespace stepwise
