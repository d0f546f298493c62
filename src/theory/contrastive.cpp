#include "stepwise/theory/contrastive.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

#include "stepwise/dist/pairing.hpp"
#include "stepwise/dist/pblas.hpp"
#include "stepwise/theory/cost.hpp"
#include "stepwise/theory/mean_pair_kernel.hpp"
#include "theory/direct.hpp"

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

DistMatrix transposed_product(const DistMatrix& a, const DistMatrix& v) {
  DistMatrix result = like(v, v.cols());
  multiply(1, Transpose::yes, a, Transpose::no, v, result);
  return result;
}

/// K divided by a power of four that brings its largest entry near one, so that no norm over- or underflows. Powers of
/// four and their roots scale without rounding.
struct ScaledKernel {
  const DistMatrix& k;
  double scale = 1;
  const DistMatrix* positive_factor = nullptr;  ///< W, where W W^T takes the place of K / scale
  [[nodiscard]] DistMatrix copy() const {
    DistMatrix result = k.clone();
    stepwise::scale(result, 1 / scale);
    return result;
  }
  [[nodiscard]] DistMatrix times(const DistMatrix& v) const {
    if (positive_factor != nullptr) return product(*positive_factor, transposed_product(*positive_factor, v));
    DistMatrix result = product(k, v);
    stepwise::scale(result, 1 / scale);
    return result;
  }
};

double power_of_four(double x) {
  const int exponent = std::ilogb(x);
  return std::ldexp(1.0, exponent - exponent % 2);
}

void add_to_diagonal(DistMatrix& a, double shift) {
  const auto local = a.local();
  for (std::int64_t j = 0; j < local.cols; ++j) {
    const std::int64_t g = a.global_col(j);
    if (a.row_map().owner(Global{g}) == a.grid().row()) local(value(a.row_map().to_local(Global{g})), j) += shift;
  }
}

/// L with K + shift I = L L^T, the shift growing until rounding no longer makes a pivot negative.
Factor cholesky_factor(const ScaledKernel& kernel, ContrastiveModes& modes) {
  const std::int64_t n = kernel.k.rows();
  const double smallest = static_cast<double>(n) * eps * one_norm(kernel.k) / kernel.scale;
  std::int64_t failed = 0;
  double shift = 0;
  for (const double factor : {1.0, 10.0, 100.0}) {
    DistMatrix w = kernel.copy();
    shift = factor * smallest;
    add_to_diagonal(w, shift);
    failed = cholesky(w);
    if (failed == 0) {
      if (factor > 1) modes.notes.push_back(fmt::format("Cholesky needed a shift of {:.3g}", shift * kernel.scale));
      return {std::move(w), shift, {}};
    }
  }
  throw CollectiveError(
      ExitCode::numerical,
      fmt::format(
          "the kernel matrix is not positive semidefinite: Cholesky fails at row {} of {} with {:.3g} added to the "
          "diagonal; --solver.method spectral shows its negative eigenvalues",
          failed, n, shift * kernel.scale));
}

/// U Lambda^{1/2} with K = U Lambda U^T, negative eigenvalues taken as zero.
Factor spectral_factor(const ScaledKernel& kernel, ContrastiveModes& modes) {
  const std::int64_t n = kernel.k.rows();
  Eigenpairs pairs =
      largest_eigenpairs({[&] { return kernel.copy(); }, [&](const DistMatrix& v) { return kernel.times(v); }}, n);
  for (const std::string& rejected : pairs.report.rejected) modes.notes.push_back("rejected for K: " + rejected);
  std::vector<double> roots;
  for (const double value : pairs.values) roots.push_back(std::sqrt(std::max(value, 0.0)));
  scale_columns(pairs.vectors, roots);
  return {std::move(pairs.vectors), 0, std::move(pairs.values)};
}

/// Seconds for the flops of a large product, by one with few columns.
double seconds_per_flop(const DistMatrix& k) {
  constexpr std::int64_t columns = 64;
  const DistMatrix v = like(k, std::min(columns, k.rows()));
  const Stopwatch watch;
  (void)product(k, v);
  const double seconds = max(k.grid().comm(), watch.seconds());
  return seconds / (2 * static_cast<double>(k.rows()) * static_cast<double>(k.rows()) * static_cast<double>(v.cols()));
}

/// The factor that an earlier run has left, or a new one.
Factor factor_of(const ScaledKernel& kernel, const DirectOptions& options, double flop, ContrastiveModes& modes) {
  const std::int64_t n = kernel.k.rows();
  const bool by_cholesky = options.factorisation == Factorisation::cholesky;
  if (options.safe_points.resume) {
    Factor factor{like(kernel.k, n), 0, {}};
    if (options.safe_points.resume(factor)) return factor;
  }
  if (by_cholesky) return cholesky_factor(kernel, modes);
  if (options.safe_points.before_eigensolve) {
    options.safe_points.before_eigensolve(nullptr, flop * eigensolve_cost(n, n));
  }
  return spectral_factor(kernel, modes);
}

/// What the eigenvalues of K say of it.
void judge_eigenvalues(const std::vector<double>& values, double scale, double negative_mass, ContrastiveModes& modes) {
  modes.negative = negative_part(values);
  modes.negative->smallest *= scale;
  if (values.back() < -noise_floor(std::ssize(values), values.front())) {
    require_positive(*modes.negative, values.front() * scale, negative_mass);
  }
}

/// Mean of k over views of the same thing, of K = W W^T.
double mean_pair_product(const DistMatrix& w, const Pairing& pairing) {
  DistMatrix swapped = w.clone();
  apply_pairing(pairing, swapped);
  double total = 0;
  for (const double dot : column_dots(w, swapped)) total += dot;
  return total / pairing.norm(w.rows());
}

/// M = (1/c) W^T B W, symmetric to the bit.
DistMatrix contrastive_matrix(const DistMatrix& w, Factorisation factorisation, const Pairing& pairing) {
  const double factor = 1 / pairing.norm(w.rows());
  DistMatrix swapped = w.clone();
  apply_pairing(pairing, swapped);
  DistMatrix m = like(w, w.cols());
  if (factorisation == Factorisation::cholesky) {
    multiply_lower_transposed(factor, w, swapped, m);
  } else {
    multiply(factor, Transpose::yes, w, Transpose::no, swapped, m);
  }
  mirror_lower(m);
  return m;
}

/// B W Z / (c gamma), not yet normalised with K itself; 0 where gamma is rounding.
DistMatrix dual_vectors(const DistMatrix& w, const DistMatrix& z, const ContrastiveModes& modes) {
  DistMatrix dual = product(w, z);
  apply_pairing(modes.pairing, dual);
  std::vector<double> factors;
  for (std::int64_t j = 0; j < z.cols(); ++j) {
    const double gamma = modes.gamma[static_cast<std::size_t>(j)];
    factors.push_back(std::abs(gamma) > modes.noise_floor ? 1 / (modes.pairing.norm(w.rows()) * gamma) : 0);
  }
  scale_columns(dual, factors);
  return dual;
}

/// 1 / sqrt(a^T K a) for each column.
std::vector<double> normalising_factors(const DistMatrix& dual, const DistMatrix& kernel_dual) {
  std::vector<double> factors = column_dots(dual, kernel_dual);
  for (double& x : factors) x = 1 / std::sqrt(x);
  return factors;
}

DistMatrix every_dual_vector(const ScaledKernel& kernel, const DistMatrix& w, const DistMatrix& z,
                             const ContrastiveModes& modes) {
  DistMatrix dual = dual_vectors(w, z, modes);
  std::vector<double> factors = normalising_factors(dual, kernel.times(dual));
  for (double& x : factors) x = std::isfinite(x) ? x : 0;  // columns of zeros
  scale_columns(dual, factors);
  return dual;
}

/// Dual vectors from the eigenvectors Z of M, normalised and with Rayleigh quotients in terms of K itself.
void finish_modes(const ScaledKernel& kernel, const DistMatrix& w, const DistMatrix& z, ContrastiveModes& modes) {
  const auto d = static_cast<std::size_t>(z.cols());
  const double c = modes.pairing.norm(w.rows());
  DistMatrix dual = dual_vectors(w, z, modes);
  DistMatrix kernel_dual = kernel.times(dual);
  const std::vector<double> factors = normalising_factors(dual, kernel_dual);
  scale_columns(dual, factors);
  scale_columns(kernel_dual, factors);

  DistMatrix residual = kernel_dual.clone();  // T a - gamma a = (1/c) B K a - gamma a
  apply_pairing(modes.pairing, residual);
  scale(residual, 1 / c);
  std::vector<double> quotients = column_dots(kernel_dual, residual);  // (K a)^T T a
  std::copy(quotients.begin(), quotients.end(), modes.gamma.begin());
  {
    const auto r = residual.local();
    const auto a = dual.local();
    for (std::int64_t j = 0; j < r.cols; ++j) {
      const double gamma = quotients[static_cast<std::size_t>(residual.global_col(j))];
      for (std::int64_t i = 0; i < r.rows; ++i) r(i, j) -= gamma * a(i, j);
    }
  }
  const auto norms = column_dots(residual, kernel.times(residual));
  for (std::size_t j = 0; j < d; ++j)
    modes.residuals.push_back(std::sqrt(std::max(norms[j], 0.0)) / modes.gamma.front());
  // Inside a cluster the quotients may leave their order by a rounding error.
  std::sort(modes.gamma.begin(), modes.gamma.begin() + z.cols(), std::greater<>());
  modes.dual = to_block_vector(dual, modes.pairing.views);
  modes.kernel_dual = to_block_vector(kernel_dual, modes.pairing.views);
}

/// From the scaled kernel's units to K's own.
void undo_scaling(ContrastiveModes& modes, DirectReport& report, double scale) {
  for (double& gamma : modes.gamma) gamma *= scale;
  for (double& eigenvalue : report.kernel_eigenvalues) eigenvalue *= scale;
  modes.noise_floor *= scale;
  modes.mean_pair_kernel *= scale;
  report.shift *= scale;
  const double root = std::sqrt(scale);
  for (double& x : modes.dual.data) x /= root;
  for (double& x : modes.kernel_dual.data) x *= root;
  if (modes.all_dual) stepwise::scale(*modes.all_dual, 1 / root);
}

}  // namespace

ContrastiveModes contrastive_modes(const DistMatrix& k, std::int64_t d, const DirectOptions& options) {
  const Pairing& pairing = options.pairing;
  const std::int64_t n = k.rows();
  if (n != k.cols() || pairing.views < 2 || n % pairing.views != 0 || k.block() % pairing.views != 0) {
    throw CollectiveError(ExitCode::internal,
                          fmt::format("contrastive_modes: a {} x {} matrix in blocks of {}", n, k.cols(), k.block()));
  }
  if (d < 0 || d > n) {
    throw CollectiveError(ExitCode::input,
                          fmt::format("--modes is {}, must be from 1 to the number of samples, {}", d, n));
  }
  const double largest = max_abs(k);
  if (!std::isfinite(largest)) {
    throw CollectiveError(
        ExitCode::input,
        "the kernel matrix has entries that are NaN or infinite: rescale the data or the kernel's parameters");
  }
  if (largest < std::numeric_limits<double>::min()) {
    throw CollectiveError(ExitCode::input,
                          fmt::format("--modes is {}, but the kernel matrix is zero and has 0 positive modes: are all "
                                      "samples or variances zero, or too small for double precision?",
                                      d > 0 ? fmt::format("{}", d) : "all"));
  }
  ScaledKernel kernel{k, power_of_four(largest)};
  ContrastiveModes modes;
  modes.pairing = pairing;
  DirectReport report;
  const bool by_cholesky = options.factorisation == Factorisation::cholesky;
  const double cube = static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n);
  const double square = cube / static_cast<double>(n);
  Stopwatch watch;
  const auto finish = [&](const char* stage, double flops) {
    modes.stages.push_back({stage, watch.seconds(), flops});
    watch = Stopwatch();
  };

  const auto& before_eigensolve = options.safe_points.before_eigensolve;
  const double flop = before_eigensolve ? seconds_per_flop(k) : 0;
  Factor factor = factor_of(kernel, options, flop, modes);
  const DistMatrix& w = factor.w;
  if (!by_cholesky) judge_eigenvalues(factor.eigenvalues, kernel.scale, options.negative_mass, modes);
  if (before_eigensolve) before_eigensolve(&factor, flop * eigensolve_cost(n, options.all_dual ? n : d));
  report.shift = factor.shift;
  report.kernel_eigenvalues = std::move(factor.eigenvalues);
  // Measured against K itself, cutting off more than rounding would look like an error.
  const auto& eigenvalues = report.kernel_eigenvalues;
  if (!by_cholesky && eigenvalues.back() < -noise_floor(n, eigenvalues.front())) kernel.positive_factor = &w;
  finish(by_cholesky ? "K = L L^T" : "K = U Lambda U^T", by_cholesky ? cube / 3 : 16.0 / 3 * cube);
  double forming = 0;
  Eigenpairs pairs = largest_eigenpairs({[&] {
                                           const Stopwatch inner;
                                           DistMatrix m = contrastive_matrix(w, options.factorisation, pairing);
                                           forming += inner.seconds();
                                           return m;
                                         },
                                         [&](const DistMatrix& v) {
                                           DistMatrix wv = product(w, v);
                                           apply_pairing(pairing, wv);
                                           DistMatrix result = like(v, v.cols());
                                           multiply(1 / pairing.norm(n), Transpose::yes, w, Transpose::no, wv, result);
                                           return result;
                                         }},
                                        options.all_dual ? n : d, options.ladder);
  modes.stages.push_back({"M = W^T B W / c", forming, by_cholesky ? cube / 3 : 2 * cube});
  modes.stages.push_back(
      {"eigenpairs of M", watch.seconds() - forming, 4.0 / 3 * cube + 4 * square * static_cast<double>(d)});
  watch = Stopwatch();
  modes.gamma = std::move(pairs.values);
  report.eigensolve = std::move(pairs.report);
  count_modes(modes, report);
  require_modes(d, n / pairing.views, report.positive, modes.noise_floor * kernel.scale);
  modes.mean_pair_kernel =
      kernel.positive_factor != nullptr ? mean_pair_product(w, pairing) : mean_pair_kernel(k, pairing) / kernel.scale;
  compare_trace(modes, report);  // before Rayleigh quotients replace some: the shift cancels in the sum of all
  if (options.all_dual) {
    modes.all_dual = every_dual_vector(kernel, w, pairs.vectors, modes);
    pairs.vectors = leading_columns(pairs.vectors, d);
  }
  if (d > 0) finish_modes(kernel, w, pairs.vectors, modes);
  check_modes(modes, report);
  undo_scaling(modes, report, kernel.scale);
  finish("dual vectors, residuals", 6 * square * static_cast<double>(d));
  modes.report = std::move(report);
  return modes;
}

std::string solver_name(const ContrastiveModes& modes) {
  if (const auto* krylov = std::get_if<KrylovReport>(&modes.report)) {
    const std::string rough =
        krylov->rough_rounds > 0 ? fmt::format(", {} of them in single precision", krylov->rough_rounds) : "";
    return fmt::format("block Krylov in {} rounds{}", krylov->rounds, rough);
  }
  return name(std::get<DirectReport>(modes.report).eigensolve.solver);
}

}  // namespace stepwise
