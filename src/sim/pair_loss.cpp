#include "stepwise/sim/pair_loss.hpp"

#include <cmath>
#include <vector>

#include "sim/pair_losses.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

using Matrix = std::vector<double>;

MatrixView<double> square(Matrix& a, std::int64_t d) {
  return {a.data(), d, d, d};
}

double squares(const Matrix& a) {
  double total = 0;
  for (const double x : a) total += x * x;
  return total;
}

}  // namespace

std::int64_t total_samples(const PairBatch& batch) {
  return sum(batch.comm, batch.f.cols);
}

Matrix paired(const PairBatch& batch) {
  Matrix result(static_cast<std::size_t>(batch.f.rows * batch.f.cols));
  const MatrixView<double> view{result.data(), batch.f.rows, batch.f.cols, batch.f.rows};
  for (std::int64_t s = 0; s < view.cols; ++s) std::copy_n(batch.f.column(s), view.rows, view.column(s));
  apply_pairing(batch.pairing, view);
  return result;
}

namespace {

struct Correlation {
  Matrix matrix;  ///< C, d x d
  double norm;    ///< c
};

/// One reduction, of F B F^T and N.
Correlation correlation(const PairBatch& batch, const Matrix& fb) {
  const std::int64_t d = batch.f.rows;
  Correlation c{Matrix(static_cast<std::size_t>(d * d + 1)), 0};
  gemm(1, Transpose::no, {fb.data(), d, batch.f.cols, d}, Transpose::yes, batch.f, 0, square(c.matrix, d));
  c.matrix.back() = static_cast<double>(batch.f.cols);
  sum(batch.comm, c.matrix);
  c.norm = batch.pairing.norm(static_cast<std::int64_t>(c.matrix.back()));
  c.matrix.pop_back();
  for (double& x : c.matrix) x /= c.norm;
  return c;
}

/// ||C - I||^2, gradient (4/c) (C - I) F B.
double loss_of(const SimplifiedBarlowTwins&, const PairBatch& batch, MatrixView<double> gradient) {
  const std::int64_t d = batch.f.rows;
  const Matrix fb = paired(batch);
  Correlation c = correlation(batch, fb);
  for (std::int64_t i = 0; i < d; ++i) c.matrix[static_cast<std::size_t>(i * (d + 1))] -= 1;
  gemm(4 / c.norm, Transpose::no, square(c.matrix, d), Transpose::no, {fb.data(), d, batch.f.cols, d}, 0, gradient);
  return squares(c.matrix);
}

/// -2 tr C + (||F F^T||^2 - the part within groups) / (n (n - 1) V^2).
double loss_of(const SpectralContrastive&, const PairBatch& batch, MatrixView<double> gradient) {
  const auto [d, n] = std::pair(batch.f.rows, batch.f.cols);
  const std::int64_t views = batch.pairing.views;
  const std::int64_t samples = total_samples(batch);
  const double norm = batch.pairing.norm(samples);
  const double different = static_cast<double>(samples) * static_cast<double>(samples - views);  // pairs of samples
  Matrix products(static_cast<std::size_t>(views * views));
  const MatrixView<double> within_group{products.data(), views, views, views};
  double within = 0;
  for (std::int64_t s = 0; s < n; s += views) {
    const auto group = batch.f.block(0, s, d, views);
    gemm(1, Transpose::yes, group, Transpose::no, group, 0, within_group);
    gemm(-4 / different, Transpose::no, group, Transpose::no, within_group, 0, gradient.block(0, s, d, views));
    within += squares(products);
  }
  const Matrix fb = paired(batch);
  double attraction = 0;
  for (std::int64_t s = 0; s < n; ++s) {
    for (std::int64_t j = 0; j < d; ++j) {
      const double partner = fb[static_cast<std::size_t>(j + s * d)];
      attraction += batch.f(j, s) * partner;
      gradient(j, s) -= 4 / norm * partner;
    }
  }
  Matrix moments(static_cast<std::size_t>(d * d));
  gemm(1, Transpose::no, batch.f, Transpose::yes, batch.f, 0, square(moments, d));
  moments.insert(moments.end(), {attraction, within});
  sum(batch.comm, moments);
  gemm(4 / different, Transpose::no, square(moments, d), Transpose::no, batch.f, 1, gradient);
  within = moments.back();
  attraction = moments[moments.size() - 2];
  moments.resize(static_cast<std::size_t>(d * d));
  return -2 * attraction / norm + (squares(moments) - within) / different;
}

double loss_of(const BarlowTwins& loss, const PairBatch& batch, MatrixView<double> gradient) {
  return barlow_twins(loss, batch, gradient);
}
double loss_of(const VicReg& loss, const PairBatch& batch, MatrixView<double> gradient) {
  return vicreg(loss, batch, gradient);
}
double loss_of(const SimClr& loss, const PairBatch& batch, MatrixView<double> gradient) {
  return sim_clr(loss, batch, gradient);
}

void require(const char* name, double value, double least, const char* bound) {
  if (!(std::isfinite(value) && value >= least)) fail(ExitCode::input, "{} is {}, must be {}", name, value, bound);
}

struct Check {
  void operator()(const SimplifiedBarlowTwins&) const {}
  void operator()(const SpectralContrastive&) const {}
  void operator()(const BarlowTwins& loss) const {
    require("the weight of Barlow Twins' off-diagonal terms", loss.off_diagonal, 0, "a number >= 0");
    require("epsilon of Barlow Twins' normalisation", loss.epsilon, 0, "a number >= 0");
  }
  void operator()(const SimClr& loss) const {
    require("SimCLR's temperature", loss.temperature, 0.005, "at least 0.005");
  }
  void operator()(const VicReg& loss) const {
    require("VICReg's weight of the invariance", loss.invariance, 0, "a number >= 0");
    require("VICReg's weight of the variance", loss.variance, 0, "a number >= 0");
    require("VICReg's weight of the covariance", loss.covariance, 0, "a number >= 0");
    require("VICReg's target deviation", loss.target, 0, "a number >= 0");
    require("VICReg's epsilon", loss.epsilon, 1e-15, "at least 1e-15");
  }
};

}  // namespace

double evaluate(const PairLoss& loss, MatrixView<const double> f, const Pairing& pairing, const Communicator& comm,
                MatrixView<double> gradient) {
  const PairBatch batch{f, pairing, comm};
  return std::visit([&](const auto& which) { return loss_of(which, batch, gradient); }, loss);
}

Matrix pair_correlation(MatrixView<const double> f, const Pairing& pairing, const Communicator& comm) {
  const PairBatch batch{f, pairing, comm};
  return correlation(batch, paired(batch)).matrix;
}

Matrix sample_covariance(MatrixView<const double> f, const Communicator& comm) {
  const std::int64_t d = f.rows;
  Matrix means(static_cast<std::size_t>(d + 1));
  for (std::int64_t s = 0; s < f.cols; ++s) {
    for (std::int64_t j = 0; j < d; ++j) means[static_cast<std::size_t>(j)] += f(j, s);
  }
  means.back() = static_cast<double>(f.cols);
  sum(comm, means);
  Matrix centred;
  for (std::int64_t s = 0; s < f.cols; ++s) {
    for (std::int64_t j = 0; j < d; ++j) centred.push_back(f(j, s) - means[static_cast<std::size_t>(j)] / means.back());
  }
  Matrix covariance(static_cast<std::size_t>(d * d));
  const MatrixView<const double> own{centred.data(), d, f.cols, d};
  gemm(1 / means.back(), Transpose::no, own, Transpose::yes, own, 0, square(covariance, d));
  sum(comm, covariance);
  return covariance;
}

std::int64_t fewest_groups(const PairLoss& loss) {
  return std::holds_alternative<SimplifiedBarlowTwins>(loss) ? 1 : 2;
}

void validate(const PairLoss& loss) {
  std::visit(Check{}, loss);
}

}  // namespace stepwise
