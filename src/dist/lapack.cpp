#include "stepwise/dist/lapack.hpp"

#include <cblas.h>

#include <algorithm>

#include "stepwise/core/error.hpp"
#include "stepwise/core/index.hpp"

extern "C" {
void dsyevd_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w, double* work,
             const int* lwork, int* iwork, const int* liwork, int* info);
void dgeqrf_(const int* m, const int* n, double* a, const int* lda, double* tau, double* work, const int* lwork,
             int* info);
void dorgqr_(const int* m, const int* n, const int* k, double* a, const int* lda, const double* tau, double* work,
             const int* lwork, int* info);
void dposv_(const char* uplo, const int* n, const int* nrhs, double* a, const int* lda, double* b, const int* ldb,
            int* info);
void dgesvd_(const char* jobu, const char* jobvt, const int* m, const int* n, double* a, const int* lda, double* s,
             double* u, const int* ldu, double* vt, const int* ldvt, double* work, const int* lwork, int* info);
}

namespace stepwise {
namespace {

std::vector<double> copy(MatrixView<const double> a) {
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(a.rows * a.cols));
  for (std::int64_t j = 0; j < a.cols; ++j) values.insert(values.end(), a.column(j), a.column(j) + a.rows);
  return values;
}

int rows_of(MatrixView<const double> a) {
  return narrow(a.rows, "rows of a matrix for LAPACK");
}

int cols_of(MatrixView<const double> a) {
  return narrow(a.cols, "columns of a matrix for LAPACK");
}

/// What LAPACK says of its arguments is our mistake.
void check_arguments(int info, const char* routine) {
  if (info < 0) fail(ExitCode::internal, "{}: argument {} is wrong", routine, -info);
}

}  // namespace

SymmetricEigenpairs symmetric_eigenpairs(MatrixView<const double> a, bool vectors) {
  SymmetricEigenpairs pairs{std::vector<double>(static_cast<std::size_t>(a.rows)), copy(a)};
  if (a.rows == 0) return pairs;
  const int n = rows_of(a);
  // LAPACK's own formulas.
  const int lwork = narrow(vectors ? 1 + 6 * a.rows + 2 * a.rows * a.rows : 2 * a.rows + 1, "the workspace of dsyevd");
  const int liwork = narrow(vectors ? 3 + 5 * a.rows : 1, "the workspace of dsyevd");
  std::vector<double> work(static_cast<std::size_t>(lwork));
  std::vector<int> iwork(static_cast<std::size_t>(liwork));
  int info = 0;
  dsyevd_(vectors ? "V" : "N", "L", &n, pairs.vectors.data(), &n, pairs.values.data(), work.data(), &lwork,
          iwork.data(), &liwork, &info);
  check_arguments(info, "dsyevd");
  if (info > 0) fail(ExitCode::numerical, "dsyevd failed on a matrix of order {} (info {}): NaN in it?", n, info);
  if (!vectors) pairs.vectors.clear();
  return pairs;
}

QrFactors qr_factors(MatrixView<const double> a, bool q) {
  const std::int64_t k = std::min(a.rows, a.cols);
  QrFactors factors{copy(a), std::vector<double>(static_cast<std::size_t>(k * a.cols))};
  if (k > 0) {
    const int m = rows_of(a);
    const int n = cols_of(a);
    const int rank = static_cast<int>(k);
    std::vector<double> tau(static_cast<std::size_t>(k));
    std::vector<double> work(64 * static_cast<std::size_t>(n));  // LAPACK's block size is at most 64
    const int lwork = narrow(std::ssize(work), "the workspace of dgeqrf");
    int info = 0;
    dgeqrf_(&m, &n, factors.q.data(), &m, tau.data(), work.data(), &lwork, &info);
    check_arguments(info, "dgeqrf");
    for (std::int64_t j = 0; j < a.cols; ++j) {
      std::copy_n(factors.q.data() + j * a.rows, std::min(j + 1, k), factors.r.data() + j * k);
    }
    if (q) {
      factors.q.resize(static_cast<std::size_t>(a.rows * k));
      dorgqr_(&m, &rank, &rank, factors.q.data(), &m, tau.data(), work.data(), &lwork, &info);
      check_arguments(info, "dorgqr");
    }
  }
  if (!q) factors.q.clear();
  return factors;
}

std::optional<std::vector<double>> solve_positive(MatrixView<const double> a, MatrixView<const double> b) {
  std::vector<double> factor = copy(a);
  std::vector<double> x = copy(b);
  if (a.rows == 0 || b.cols == 0) return x;
  const int n = rows_of(a);
  const int m = cols_of(b);
  int info = 0;
  dposv_("L", &n, &m, factor.data(), &n, x.data(), &n, &info);
  check_arguments(info, "dposv");
  if (info > 0) return std::nullopt;
  return x;
}

void solve_transposed_upper(MatrixView<const double> r, MatrixView<double> b) {
  if (b.rows == 0 || b.cols == 0) return;
  cblas_dtrsm(CblasColMajor, CblasLeft, CblasUpper, CblasTrans, CblasNonUnit, rows_of(b), cols_of(b), 1, r.data,
              narrow(r.stride, "a stride"), b.data, narrow(b.stride, "a stride"));
}

SingularValues singular_values(MatrixView<const double> a, bool vectors) {
  const std::int64_t least = std::min(a.rows, a.cols);
  SingularValues result{std::vector<double>(static_cast<std::size_t>(least)),
                        std::vector<double>(static_cast<std::size_t>(vectors ? a.cols * a.cols : 0))};
  if (least == 0) return result;
  std::vector<double> values = copy(a);
  const int m = rows_of(a);
  const int n = cols_of(a);
  const int one = 1;
  const int ldvt = vectors ? n : 1;
  double unused = 0;
  double* vt = vectors ? result.vt.data() : &unused;
  std::vector<double> work(1);
  int lwork = -1;
  for (int pass = 0; pass < 2; ++pass) {  // the first asks for the workspace
    int info = 0;
    dgesvd_("N", vectors ? "A" : "N", &m, &n, values.data(), &m, result.values.data(), &unused, &one, vt, &ldvt,
            work.data(), &lwork, &info);
    check_arguments(info, "dgesvd");
    if (info > 0) fail(ExitCode::numerical, "dgesvd failed on a {} x {} matrix (info {})", m, n, info);
    if (pass == 0) {
      lwork = static_cast<int>(work.front());
      work.resize(static_cast<std::size_t>(lwork));
    }
  }
  return result;
}

}  // namespace stepwise
