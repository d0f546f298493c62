#include "stepwise/theory/contrastive.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

#include "stepwise/dist/pblas.hpp"
#include "stepwise/theory/pairing.hpp"

namespace stepwise {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();

DistMatrix like(const DistMatrix& a, std::int64_t cols) {
  return {a.shared_grid(), a.rows(), cols, a.block()};
}

DistMatrix product(const DistMatrix& a, const DistMatrix& v) {
  DistMatrix result = like(v, v.cols());
  multiply(1, Transpose::no, a, Transpose::no, v, result);
  return result;
}

void add_to_diagonal(DistMatrix& a, double shift) {
  const auto local = a.local();
  for (std::int64_t j = 0; j < local.cols; ++j) {
    const std::int64_t g = a.global_col(j);
    if (a.row_map().owner(Global{g}) == a.grid().row()) local(value(a.row_map().to_local(Global{g})), j) += shift;
  }
}

/// L with K + shift I = L L^T, the shift growing until rounding no longer makes a pivot negative.
DistMatrix cholesky_factor(const DistMatrix& k, ContrastiveModes& modes) {
  const double smallest = static_cast<double>(k.rows()) * eps * one_norm(k);
  std::int64_t failed = 0;
  for (const double factor : {1.0, 10.0, 100.0}) {
    DistMatrix w = k.clone();
    modes.shift = factor * smallest;
    add_to_diagonal(w, modes.shift);
    failed = cholesky(w);
    if (failed == 0) {
      if (factor > 1) modes.notes.push_back(fmt::format("Cholesky needed a shift of {:.3g}", modes.shift));
      return w;
    }
  }
  throw CollectiveError(
      ExitCode::numerical,
      fmt::format(
          "the kernel matrix is not positive semidefinite: Cholesky fails at row {} of {} with {:.3g} added to the "
          "diagonal; --solver.method spectral shows its negative eigenvalues",
          failed, k.rows(), modes.shift));
}

/// U Lambda^{1/2} with K = U Lambda U^T.
DistMatrix spectral_factor(const DistMatrix& k, ContrastiveModes& modes) {
  Eigenpairs pairs =
      largest_eigenpairs({[&k] { return k.clone(); }, [&k](const DistMatrix& v) { return product(k, v); }}, k.rows());
  const double noise = 100 * static_cast<double>(k.rows()) * eps * pairs.values.front();
  if (pairs.values.back() < -noise) {
    throw CollectiveError(
        ExitCode::numerical,
        fmt::format("the kernel matrix is not positive semidefinite: its smallest eigenvalue is {:.6g}, "
                    "its largest {:.6g}",
                    pairs.values.back(), pairs.values.front()));
  }
  for (const std::string& rejected : pairs.report.rejected) modes.notes.push_back("rejected for K: " + rejected);
  std::vector<double> roots;
  for (const double value : pairs.values) roots.push_back(std::sqrt(std::max(value, 0.0)));
  scale_columns(pairs.vectors, roots);
  modes.kernel_eigenvalues = std::move(pairs.values);
  return std::move(pairs.vectors);
}

/// M = (1/N) W^T P W, symmetric to the bit.
DistMatrix contrastive_matrix(const DistMatrix& w, Factorisation factorisation) {
  const double factor = 1 / static_cast<double>(w.rows());
  DistMatrix swapped = w.clone();
  swap_views(swapped);
  DistMatrix m = like(w, w.cols());
  if (factorisation == Factorisation::cholesky) {
    multiply_lower_transposed(factor, w, swapped, m);
  } else {
    multiply(factor, Transpose::yes, w, Transpose::no, swapped, m);
  }
  mirror_lower(m);
  return m;
}

void count_modes(ContrastiveModes& modes) {
  const double largest = std::max(std::abs(modes.gamma.front()), std::abs(modes.gamma.back()));
  modes.noise_floor = 100 * static_cast<double>(modes.gamma.size()) * eps * largest;
  for (const double gamma : modes.gamma) {
    modes.positive += gamma > modes.noise_floor ? 1 : 0;
    modes.rank += std::abs(gamma) > modes.noise_floor ? 1 : 0;
  }
}

/// Dual vectors from the eigenvectors Z of M, normalised and with Rayleigh quotients in terms of K itself.
void finish_modes(const DistMatrix& k, const DistMatrix& w, const DistMatrix& z, ContrastiveModes& modes) {
  const auto d = static_cast<std::size_t>(z.cols());
  const double n = static_cast<double>(k.rows());
  modes.dual = product(w, z);
  swap_views(modes.dual);
  std::vector<double> factors(d);
  for (std::size_t j = 0; j < d; ++j) factors[j] = 1 / (n * modes.gamma[j]);
  scale_columns(modes.dual, factors);

  modes.kernel_dual = product(k, modes.dual);
  const auto squares = column_dots(modes.dual, modes.kernel_dual);  // a^T K a
  for (std::size_t j = 0; j < d; ++j) factors[j] = 1 / std::sqrt(squares[j]);
  scale_columns(modes.dual, factors);
  scale_columns(modes.kernel_dual, factors);

  DistMatrix residual = modes.kernel_dual.clone();  // T a - gamma a = (1/N) P K a - gamma a
  swap_views(residual);
  scale(residual, 1 / n);
  std::vector<double> quotients = column_dots(modes.kernel_dual, residual);  // (K a)^T T a
  std::copy(quotients.begin(), quotients.end(), modes.gamma.begin());
  {
    const auto r = residual.local();
    const auto a = modes.dual.local();
    for (std::int64_t j = 0; j < r.cols; ++j) {
      const double gamma = quotients[static_cast<std::size_t>(residual.global_col(j))];
      for (std::int64_t i = 0; i < r.rows; ++i) r(i, j) -= gamma * a(i, j);
    }
  }
  const auto norms = column_dots(residual, product(k, residual));
  for (std::size_t j = 0; j < d; ++j)
    modes.residuals.push_back(std::sqrt(std::max(norms[j], 0.0)) / modes.gamma.front());
  // Inside a cluster the quotients may leave their order by a rounding error.
  std::sort(modes.gamma.begin(), modes.gamma.begin() + z.cols(), std::greater<>());
}

void check(ContrastiveModes& modes) {
  double worst = 0;
  for (const double residual : modes.residuals) {
    if (!(residual <= worst)) worst = std::isfinite(residual) ? residual : std::numeric_limits<double>::infinity();
  }
  const double trace_limit = rejected_quality * static_cast<double>(modes.gamma.size()) * eps;
  if (worst > residual_limit || !(modes.trace_error <= trace_limit)) {
    throw CollectiveError(
        ExitCode::numerical,
        fmt::format(
            "the modes fail their checks: largest residual ||T a - gamma a||_K / gamma_1 = {:.3g} (at most {:.3g}), "
            "error of sum gamma {:.3g} (at most {:.3g}); try --solver.method spectral",
            worst, residual_limit, modes.trace_error, trace_limit));
  }
  const EigenReport& report = modes.gamma_report;
  for (const std::string& rejected : report.rejected) modes.notes.push_back("rejected for K_Gamma: " + rejected);
  if (std::max({report.residual, report.orthogonality, report.sums}) > suspicious_quality) {
    modes.notes.push_back(fmt::format("{} is less accurate than usual: residual {:.3g}, orthogonality {:.3g} (n eps)",
                                      name(report.solver), report.residual, report.orthogonality));
  }
}

}  // namespace

ContrastiveModes contrastive_modes(const DistMatrix& k, std::int64_t d, Factorisation factorisation) {
  const std::int64_t n = k.rows();
  if (n != k.cols() || n % views_per_pair != 0 || k.block() % views_per_pair != 0) {
    throw CollectiveError(ExitCode::internal,
                          fmt::format("contrastive_modes: a {} x {} matrix in blocks of {}", n, k.cols(), k.block()));
  }
  if (d < 1 || d > n) {
    throw CollectiveError(ExitCode::input,
                          fmt::format("--modes is {}, must be from 1 to the number of samples, {}", d, n));
  }
  const double scale = max_abs(k);
  if (!std::isfinite(scale)) {
    throw CollectiveError(
        ExitCode::numerical,
        "the kernel matrix has entries that are NaN or infinite: rescale the data or the kernel's parameters");
  }
  if (scale == 0) {
    throw CollectiveError(
        ExitCode::input,
        fmt::format("--modes is {}, but the kernel matrix is zero and has 0 positive modes: are all samples zero?", d));
  }
  ContrastiveModes modes(like(k, d), like(k, d));
  const bool by_cholesky = factorisation == Factorisation::cholesky;
  const double cube = static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n);
  const double square = cube / static_cast<double>(n);
  Stopwatch watch;
  const auto finish = [&](const char* stage, double flops) {
    modes.stages.push_back({stage, watch.seconds(), flops});
    watch = Stopwatch();
  };

  const DistMatrix w = by_cholesky ? cholesky_factor(k, modes) : spectral_factor(k, modes);
  finish(by_cholesky ? "K = L L^T" : "K = U Lambda U^T", by_cholesky ? cube / 3 : 16.0 / 3 * cube);
  double forming = 0;
  Eigenpairs pairs =
      largest_eigenpairs({[&] {
                            const Stopwatch inner;
                            DistMatrix m = contrastive_matrix(w, factorisation);
                            forming += inner.seconds();
                            return m;
                          },
                          [&](const DistMatrix& v) {
                            DistMatrix wv = product(w, v);
                            swap_views(wv);
                            DistMatrix result = like(v, v.cols());
                            multiply(1 / static_cast<double>(n), Transpose::yes, w, Transpose::no, wv, result);
                            return result;
                          }},
                         d);
  modes.stages.push_back({"M = W^T P W / 2n", forming, by_cholesky ? cube / 3 : 2 * cube});
  modes.stages.push_back(
      {"eigenpairs of M", watch.seconds() - forming, 4.0 / 3 * cube + 4 * square * static_cast<double>(d)});
  watch = Stopwatch();
  modes.gamma = std::move(pairs.values);
  modes.gamma_report = std::move(pairs.report);
  count_modes(modes);
  if (d > modes.positive) {
    throw CollectiveError(
        ExitCode::input,
        fmt::format("--modes is {}, but the contrastive kernel of these {} pairs has only {} positive modes "
                    "(eigenvalues above the noise floor of {:.3g})",
                    d, n / views_per_pair, modes.positive, modes.noise_floor));
  }
  modes.mean_pair_kernel = mean_pair_kernel(k);
  double total = 0;
  for (const double gamma : modes.gamma) total += gamma;
  modes.trace_error =
      std::abs(total - modes.mean_pair_kernel) / std::max(std::abs(modes.gamma.front()), std::abs(modes.gamma.back()));
  finish_modes(k, w, pairs.vectors, modes);
  check(modes);
  finish("dual vectors, residuals", 6 * square * static_cast<double>(d));
  return modes;
}

double contrastive_matrices(Factorisation factorisation) {
  // K, W, M, Z, and what the eigensolver needs beyond: measured, docs/performance.md.
  constexpr double two_stage_workspace = 3.6;
  constexpr double one_stage_workspace = 2.2;
  const double gamma_solve = 4 + two_stage_workspace;
  if (factorisation == Factorisation::cholesky) return gamma_solve;
  return std::max(gamma_solve, 4 + one_stage_workspace);
}

}  // namespace stepwise
