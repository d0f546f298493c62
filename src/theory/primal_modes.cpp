#include <algorithm>
#include <cmath>

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/dist/pairing.hpp"
#include "stepwise/dist/pblas.hpp"
#include "stepwise/theory/contrastive.hpp"
#include "stepwise/theory/mean_pair_kernel.hpp"
#include "theory/direct.hpp"

namespace stepwise {
namespace {

// Features and samples multiplied at a time: a GEMM large enough for its full speed, a sum small against the whole.
constexpr std::int64_t panel_features = 512;
constexpr std::int64_t panel_samples = 1024;

/// The explicit features of this rank's samples as the matrix X^T, features x samples.
struct Features {
  const Communicator& comm;
  const Samples& own;
  std::int64_t samples = 0;  ///< over all ranks
  Pairing pairing;

  [[nodiscard]] std::int64_t count() const noexcept { return own.features; }
  [[nodiscard]] MatrixView<const double> transposed() const noexcept {
    return {own.data.data(), own.features, own.count, own.features};
  }
  /// X^T V^T over all samples, features x width. Collective.
  [[nodiscard]] std::vector<double> project(MatrixView<const double> v) const {
    std::vector<double> u(static_cast<std::size_t>(count() * v.rows));
    gemm(1, Transpose::no, transposed(), Transpose::yes, v, 0, {u.data(), count(), v.rows, count()});
    sum(comm, u);
    return u;
  }
  /// U^T X^T: width x this rank's samples.
  void lift(const std::vector<double>& u, MatrixView<double> v) const {
    gemm(1, Transpose::yes, {u.data(), count(), v.rows, count()}, Transpose::no, transposed(), 0, v);
  }
};

/// Gamma = (1/c) X^T B X, symmetric to the bit.
DistMatrix feature_covariance(const Features& x, const std::shared_ptr<const ProcessGrid>& grid, std::int64_t block) {
  const std::int64_t m = x.count();
  const std::int64_t samples_at_once = ceil_div(panel_samples, x.pairing.views) * x.pairing.views;
  DistMatrix gamma(grid, m, m, block);
  const auto local = gamma.local();
  std::vector<double> panel;
  std::vector<double> swapped;
  attempt(x.comm, [&] {
    panel.resize(static_cast<std::size_t>(m * std::min(m, panel_features)));
    swapped.resize(static_cast<std::size_t>(std::min(m, panel_features) * samples_at_once));
  });
  for (std::int64_t begin = 0; begin < m; begin += panel_features) {
    const std::int64_t width = std::min(panel_features, m - begin);
    const std::int64_t height = m - begin;  // the lower triangle is enough
    const std::span<double> sums = std::span(panel).first(static_cast<std::size_t>(height * width));
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::int64_t first = 0; first < x.own.count; first += samples_at_once) {
      const std::int64_t count = std::min(samples_at_once, x.own.count - first);
      const MatrixView<double> views{swapped.data(), width, count, width};
      for (std::int64_t s = 0; s < count; ++s) std::copy_n(x.own.sample(first + s) + begin, width, views.column(s));
      apply_pairing(x.pairing, views);
      gemm(1 / x.pairing.norm(x.samples), Transpose::no, x.transposed().block(begin, first, height, count),
           Transpose::yes, views, 1, {sums.data(), height, width, height});
    }
    sum(x.comm, sums);
    const BlockCyclic& cols = gamma.col_map();
    const std::int64_t end = cols.first_at_least(begin + width, grid->col());
    for (std::int64_t j = cols.first_at_least(begin, grid->col()); j < end; ++j) {
      const double* column = sums.data() + (gamma.global_col(j) - begin) * height;
      for (std::int64_t i = gamma.row_map().first_at_least(gamma.global_col(j), grid->row()); i < local.rows; ++i) {
        local(i, j) = column[gamma.global_row(i) - begin];
      }
    }
  }
  mirror_lower(gamma);
  return gamma;
}

/// The whole matrix on every rank, column-major.
std::vector<double> replicate(const DistMatrix& a) {
  std::vector<double> whole;
  attempt(a.comm(), [&] { whole.resize(static_cast<std::size_t>(a.rows() * a.cols())); });
  const auto local = a.local();
  for (std::int64_t j = 0; j < local.cols; ++j) {
    for (std::int64_t i = 0; i < local.rows; ++i) {
      whole[static_cast<std::size_t>(a.global_row(i) + a.global_col(j) * a.rows())] = local(i, j);
    }
  }
  sum(a.comm(), whole);
  return whole;
}

/// From the eigenvectors G of Gamma: K A = X G, A = B X G / (c gamma); normalised, with Rayleigh quotients and
/// residuals from K = X X^T.
void finish_modes(const Features& x, const std::vector<double>& g, std::int64_t d, ContrastiveModes& modes) {
  const double c = x.pairing.norm(x.samples);
  attempt(x.comm, [&] {
    modes.dual = make_block_vector(x.comm, x.samples, d, x.pairing.views);
    modes.kernel_dual = modes.dual;
  });
  x.lift(g, modes.dual.local());
  apply_pairing(x.pairing, modes.dual.local());
  std::vector<double> factors;
  for (std::int64_t j = 0; j < d; ++j) factors.push_back(1 / (c * modes.gamma[static_cast<std::size_t>(j)]));
  scale_vectors(modes.dual, factors);
  x.lift(x.project(modes.dual.local()), modes.kernel_dual.local());
  factors = dots(x.comm, modes.dual, modes.kernel_dual);  // a^T K a
  for (double& factor : factors) factor = 1 / std::sqrt(factor);
  scale_vectors(modes.dual, factors);
  scale_vectors(modes.kernel_dual, factors);

  BlockVector residual = modes.kernel_dual;  // T a - gamma a = (1/c) B K a - gamma a
  apply_pairing(x.pairing, residual.local());
  scale_vectors(residual, std::vector<double>(static_cast<std::size_t>(d), 1 / c));
  const std::vector<double> quotients = dots(x.comm, modes.kernel_dual, residual);  // (K a)^T T a
  const auto r = residual.local();
  for (std::int64_t s = 0; s < r.cols; ++s) {
    for (std::int64_t j = 0; j < d; ++j) r(j, s) -= quotients[static_cast<std::size_t>(j)] * modes.dual.local()(j, s);
  }
  const std::vector<double> u = x.project(r);
  std::copy(quotients.begin(), quotients.end(), modes.gamma.begin());
  for (std::int64_t j = 0; j < d; ++j) {
    double square = 0;  // ||r||_K^2 = |X^T r|^2, in units of gamma_1: its square may overflow
    for (std::int64_t i = 0; i < x.count(); ++i) {
      square += std::pow(u[static_cast<std::size_t>(i + j * x.count())] / quotients.front(), 2);
    }
    modes.residuals.push_back(std::sqrt(square));
  }
  // Inside a cluster the quotients may leave their order by a rounding error.
  std::sort(modes.gamma.begin(), modes.gamma.begin() + d, std::greater<>());
}

}  // namespace

ContrastiveModes primal_modes(const Samples& own, const std::shared_ptr<const ProcessGrid>& grid, std::int64_t samples,
                              std::int64_t block, std::int64_t d, const EigensolverLadder& ladder,
                              const Pairing& pairing) {
  const Features x{grid->comm(), own, samples, pairing};
  const std::int64_t m = x.count();
  if (m > samples) {
    throw CollectiveError(ExitCode::input,
                          fmt::format("--solver.method primal works with a matrix of all {} features, more than the {} "
                                      "samples: choose cholesky",
                                      m, samples));
  }
  if (d > m) {
    throw CollectiveError(ExitCode::input,
                          fmt::format("--modes is {}, but {} features have at most {} positive modes", d, m, m));
  }
  const auto features = static_cast<double>(m);
  const auto n = static_cast<double>(samples);
  ContrastiveModes modes;
  modes.pairing = pairing;
  DirectReport report;
  Stopwatch watch;
  const auto finish = [&](const char* stage, double flops) {
    modes.stages.push_back({stage, watch.seconds(), flops});
    watch = Stopwatch();
  };
  const DistMatrix gamma = feature_covariance(x, grid, block);
  finish("Gamma from features", n * features * features);
  Eigenpairs pairs = largest_eigenpairs({[&] { return gamma.clone(); },
                                         [&](const DistMatrix& v) {
                                           DistMatrix result(grid, m, v.cols(), block);
                                           multiply(1, Transpose::no, gamma, Transpose::no, v, result);
                                           return result;
                                         }},
                                        d, ladder);
  finish("eigenpairs of Gamma", 4.0 / 3 * std::pow(features, 3) + 4 * features * features * static_cast<double>(d));
  // The other N - m eigenvalues of K_Gamma are zero.
  modes.gamma = std::move(pairs.values);
  const auto positive = std::find_if(modes.gamma.begin(), modes.gamma.end(), [](double value) { return value < 0; });
  modes.gamma.insert(positive, static_cast<std::size_t>(samples - m), 0.0);
  report.eigensolve = std::move(pairs.report);
  count_modes(modes, report);
  require_modes(d, samples / pairing.views, report.positive, modes.noise_floor);
  modes.mean_pair_kernel = mean_pair_kernel(LinearKernel{}, own, samples, x.comm, pairing);
  compare_trace(modes, report);
  if (d > 0) finish_modes(x, replicate(pairs.vectors), d, modes);
  check_modes(modes, report);
  finish("dual vectors, residuals", 8 * n * features * static_cast<double>(d));
  modes.report = std::move(report);
  return modes;
}

}  // namespace stepwise
