#include "stepwise/solve/eigensolver.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "dist/scalapack_abi.hpp"
#include "solve/elpa_abi.hpp"
#include "stepwise/core/random.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/pblas.hpp"
#include "stepwise/solve/limits.hpp"

namespace stepwise {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();
constexpr std::int64_t most_checked_singly = 16;
constexpr std::int64_t probes = 16;

void scalapack_all(DistMatrix& a, std::vector<double>& values, DistMatrix& vectors) {
  const Communicator& comm = a.comm();
  const int n = static_cast<int>(a.rows());
  const int one = 1;
  std::vector<double> work(1);
  std::vector<int> iwork(1);
  attempt(comm, [&] {
    const std::int64_t length = pdsyevd_workspace(a.rows(), a.block(), a.grid().shape());
    const std::int64_t integers = 7 * a.rows() + 8 * a.grid().shape().cols + 2;
    work.resize(static_cast<std::size_t>(narrow(length, "pdsyevd's workspace on one rank")));
    iwork.resize(static_cast<std::size_t>(integers));
  });
  const int lwork = static_cast<int>(work.size());
  const int liwork = static_cast<int>(iwork.size());
  int info = 0;
  pdsyevd_("V", "L", &n, a.local().data, &one, &one, a.descriptor().data(), values.data(), vectors.local().data, &one,
           &one, vectors.descriptor().data(), work.data(), &lwork, iwork.data(), &liwork, &info);
  attempt(comm, [&] {
    if (info != 0) fail(ExitCode::numerical, "pdsyevd failed with info = {}", info);
  });
  broadcast(comm, values);  // with n <= block only the owner has them
}

/// k x p matrix of independent normal numbers with variance 1 / k: random combinations that mix every vector.
DistMatrix random_mixture(const DistMatrix& like, std::int64_t k, std::int64_t p) {
  DistMatrix mixture(like.shared_grid(), k, p, like.block());
  const auto local = mixture.local();
  for (std::int64_t j = 0; j < local.cols; ++j) {
    for (std::int64_t i = 0; i < local.rows; ++i) {
      RandomStream stream(0, Purpose::probe, mixture.global_row(i) * p + mixture.global_col(j));
      local(i, j) = stream.normal() / std::sqrt(static_cast<double>(k));
    }
  }
  return mixture;
}

void subtract(DistMatrix& a, const DistMatrix& b) {
  const auto x = a.local();
  const auto y = b.local();
  for (std::int64_t j = 0; j < x.cols; ++j) {
    for (std::int64_t i = 0; i < x.rows; ++i) x(i, j) -= y(i, j);
  }
}

double largest_column_norm(const DistMatrix& a) {
  double largest = 0;
  for (const double square : column_dots(a, a)) {
    if (!(square <= largest)) largest = std::isfinite(square) ? square : std::numeric_limits<double>::infinity();
  }
  return std::sqrt(largest);
}

/// What A is measured by: its largest entry, and trace and Frobenius norm in units of that entry, so that neither 1e200
/// nor 1e-200 leaves the range of a double when squared.
struct Scale {
  double largest = 0;
  double trace = 0;
  double frobenius = 0;
};

/// Measures a result against A.
void measure(const SymmetricOperator& a, const Scale& scale_of_a, const std::vector<double>& values,
             const DistMatrix& vectors, EigenReport& report) {
  const std::int64_t n = vectors.rows();
  const std::int64_t k = vectors.cols();
  // Below 16 rows the few roundings of a single element weigh more than n.
  const double unit = static_cast<double>(std::max<std::int64_t>(n, 16)) * eps;
  double total = 0;
  double squares = 0;
  for (const double value : values) {
    const double scaled = value / scale_of_a.largest;
    total += scaled;
    squares += scaled * scaled;
  }
  const double f = scale_of_a.frobenius;
  report.sums = std::max(std::abs(total - scale_of_a.trace) / (unit * f), std::abs(squares - f * f) / (unit * f * f));
  if (k == 0) return;
  const double residual_unit = unit * f;

  std::vector<double> wanted(values.begin(), values.begin() + k);
  if (k <= most_checked_singly) {
    DistMatrix residual = a.apply(vectors);
    DistMatrix scaled = vectors.clone();
    scale_columns(scaled, wanted);
    subtract(residual, scaled);
    scale(residual, 1 / scale_of_a.largest);
    report.residual = largest_column_norm(residual) / residual_unit;

    DistMatrix gram(vectors.shared_grid(), k, k, vectors.block());
    multiply(1, Transpose::yes, vectors, Transpose::no, vectors, gram);
    const auto local = gram.local();
    for (std::int64_t j = 0; j < local.cols; ++j) {
      for (std::int64_t i = 0; i < local.rows; ++i) {
        if (gram.global_row(i) == gram.global_col(j)) local(i, j) -= 1;
      }
    }
    report.orthogonality = max_abs(gram) / unit;
    return;
  }
  const DistMatrix mixture = random_mixture(vectors, k, probes);
  DistMatrix combined(vectors.shared_grid(), n, probes, vectors.block());
  multiply(1, Transpose::no, vectors, Transpose::no, mixture, combined);
  DistMatrix back(vectors.shared_grid(), k, probes, vectors.block());
  multiply(1, Transpose::yes, vectors, Transpose::no, combined, back);
  subtract(back, mixture);
  report.orthogonality = largest_column_norm(back) / unit;

  DistMatrix residual = a.apply(combined);
  DistMatrix weighted = mixture.clone();
  const auto local = weighted.local();
  for (std::int64_t j = 0; j < local.cols; ++j) {
    for (std::int64_t i = 0; i < local.rows; ++i)
      local(i, j) *= wanted[static_cast<std::size_t>(weighted.global_row(i))];
  }
  multiply(1, Transpose::no, vectors, Transpose::no, weighted, combined);
  subtract(residual, combined);
  scale(residual, 1 / scale_of_a.largest);
  report.residual = largest_column_norm(residual) / residual_unit;
}

/// The zero matrix: any orthonormal vectors do.
Eigenpairs zero_eigenpairs(DistMatrix zero, std::int64_t k) {
  const std::int64_t n = zero.rows();
  DistMatrix vectors = leading_columns(zero, k);
  const auto local = vectors.local();
  for (std::int64_t j = 0; j < local.cols; ++j) {
    for (std::int64_t i = 0; i < local.rows; ++i) {
      if (vectors.global_row(i) == vectors.global_col(j)) local(i, j) = 1;
    }
  }
  return {std::vector<double>(static_cast<std::size_t>(n)), std::move(vectors), {}};
}

/// One solver's answer, not yet checked. `a` is -A / largest.
Eigenpairs run(Eigensolver solver, DistMatrix a, double largest, std::int64_t k) {
  std::vector<double> values(static_cast<std::size_t>(a.rows()));
  const bool values_only = k == 0 && solver != Eigensolver::scalapack;  // pdsyevd always finds the vectors
  DistMatrix vectors(a.shared_grid(), a.rows(), values_only ? 0 : a.rows(), a.block());
  if (solver == Eigensolver::scalapack) {
    scalapack_all(a, values, vectors);
  } else {
    elpa_smallest(a, k, solver == Eigensolver::elpa_two_stage, values, vectors);
  }
  for (double& value : values) value *= -largest;
  return {std::move(values), leading_columns(vectors, k), {solver, 0, 0, 0, {}}};
}

}  // namespace

std::string name(Eigensolver solver) {
  switch (solver) {
    case Eigensolver::elpa_two_stage:
      return "ELPA two-stage";
    case Eigensolver::elpa_one_stage:
      return "ELPA one-stage";
    case Eigensolver::scalapack:
      break;
  }
  return "ScaLAPACK pdsyevd";
}

std::vector<Eigensolver> solver_ladder(std::int64_t n, std::int64_t k, std::int64_t block, GridShape grid) {
  const std::int64_t blocks = ceil_div(n, block);
  const bool somebody_empty = blocks < std::max(grid.rows, grid.cols);
  if (somebody_empty) return {Eigensolver::scalapack};
  if (2 * k <= n) return {Eigensolver::elpa_two_stage, Eigensolver::elpa_one_stage, Eigensolver::scalapack};
  return {Eigensolver::elpa_one_stage, Eigensolver::scalapack};
}

Eigenpairs largest_eigenpairs(const SymmetricOperator& a, std::int64_t k, EigensolverLadder ladder) {
  std::vector<std::string> rejected;
  std::size_t rung = 0;
  while (true) {
    DistMatrix matrix = a.materialise();
    const std::int64_t n = matrix.rows();
    if (matrix.cols() != n || k < 0 || k > n) {
      throw CollectiveError(ExitCode::internal,
                            fmt::format("{} eigenvectors of a {} x {} matrix", k, n, matrix.cols()));
    }
    if (!ladder) ladder = solver_ladder(n, k, matrix.block(), matrix.grid().shape());
    const double largest = max_abs(matrix);
    if (!std::isfinite(largest)) {
      throw CollectiveError(ExitCode::numerical, "the matrix to diagonalise has entries that are NaN or infinite");
    }
    if (largest == 0) return zero_eigenpairs(std::move(matrix), k);
    scale(matrix, -1 / largest);
    Scale scale_of_a{largest, 0, frobenius_norm(matrix)};
    for (const double entry : diagonal(matrix)) scale_of_a.trace -= entry;
    const Eigensolver solver = ladder->at(rung++);
    std::string verdict;
    try {
      Eigenpairs pairs = run(solver, std::move(matrix), largest, k);
      measure(a, scale_of_a, pairs.values, pairs.vectors, pairs.report);
      const EigenReport& report = pairs.report;
      const double worst = std::max({report.residual, report.orthogonality, report.sums});
      if (worst <= rejected_quality) {
        pairs.report.rejected = std::move(rejected);
        return pairs;
      }
      verdict = fmt::format("{}: residual {:.3g}, orthogonality {:.3g}, sums {:.3g} (n eps)", name(solver),
                            report.residual, report.orthogonality, report.sums);
    } catch (const CollectiveError& error) {
      if (error.code() != ExitCode::numerical) throw;
      verdict = fmt::format("{}: {}", name(solver), error.what());
    }
    rejected.push_back(std::move(verdict));
    if (rung == ladder->size()) {
      throw CollectiveError(ExitCode::numerical,
                            fmt::format("no eigensolver gave a sound result: {}", fmt::join(rejected, "; ")));
    }
  }
}

}  // namespace stepwise
