#include "sim/small_dense.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "stepwise/core/error.hpp"
#include "stepwise/core/index.hpp"

extern "C" {
void dsyev_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w, double* work,
            const int* lwork, int* info);
void dposv_(const char* uplo, const int* n, const int* nrhs, double* a, const int* lda, double* b, const int* ldb,
            int* info);
}

namespace stepwise {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

SmallSpectrum small_spectrum(MatrixView<const double> a, bool vectors) {
  const auto d = static_cast<std::size_t>(a.rows);
  SmallSpectrum result{std::vector<double>(d), std::vector<double>(d * d)};
  for (std::int64_t j = 0; j < a.cols; ++j) {
    std::copy_n(a.column(j), d, result.vectors.data() + static_cast<std::size_t>(j) * d);
  }
  // LAPACK may not return from NaN.
  if (!std::all_of(result.vectors.begin(), result.vectors.end(), [](double x) { return std::isfinite(x); })) {
    std::fill(result.values.begin(), result.values.end(), nan);
    std::fill(result.vectors.begin(), result.vectors.end(), nan);
    return result;
  }
  const int n = narrow(a.rows, "the number of outputs");
  const int lwork = narrow(34 * a.rows, "the workspace of dsyev");
  std::vector<double> work(static_cast<std::size_t>(lwork));
  int info = 0;
  dsyev_(vectors ? "V" : "N", "L", &n, result.vectors.data(), &n, result.values.data(), work.data(), &lwork, &info);
  if (info != 0) fail(ExitCode::numerical, "dsyev failed on a correlation matrix of order {} (info {})", n, info);
  if (!vectors) result.vectors.clear();
  return result;
}

std::vector<double> solve_positive(std::vector<double> a, std::vector<double> b, std::int64_t n) {
  const int order = narrow(n, "the number of outputs");
  int info = 0;
  dposv_("L", &order, &order, a.data(), &order, b.data(), &order, &info);
  if (info != 0) std::fill(b.begin(), b.end(), nan);
  return b;
}

}  // namespace stepwise
