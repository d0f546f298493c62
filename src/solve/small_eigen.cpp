#include "stepwise/solve/small_eigen.hpp"

#include <algorithm>

#include "stepwise/core/index.hpp"
#include "stepwise/dist/agree.hpp"

extern "C" void dsyevd_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w,
                        double* work, const int* lwork, int* iwork, const int* liwork, int* info);

namespace stepwise {

SmallEigenpairs small_eigenpairs(const Communicator& comm, const std::vector<double>& a, std::int64_t n) {
  const auto size = static_cast<std::size_t>(n);
  SmallEigenpairs pairs{std::vector<double>(size), std::vector<double>(size * size)};
  attempt_on_root(comm, [&] {
    std::vector<double> z = a;
    const int order = narrow(n, "the order of a projected matrix");
    const int lwork = narrow(1 + 6 * n + 2 * n * n, "the workspace of dsyevd");  // LAPACK's own formulas
    const int liwork = narrow(3 + 5 * n, "the workspace of dsyevd");
    std::vector<double> work(static_cast<std::size_t>(lwork));
    std::vector<int> iwork(static_cast<std::size_t>(liwork));
    int info = 0;
    dsyevd_("V", "L", &order, z.data(), &order, pairs.values.data(), work.data(), &lwork, iwork.data(), &liwork, &info);
    if (info != 0) {
      fail(ExitCode::numerical, "dsyevd failed on a projected matrix of order {} (info {}): NaN in the products?", n,
           info);
    }
    std::reverse(pairs.values.begin(), pairs.values.end());
    for (std::size_t j = 0; j < size; ++j) {
      std::copy_n(z.data() + (size - 1 - j) * size, size, pairs.vectors.data() + j * size);
    }
  });
  broadcast(comm, pairs.values);
  broadcast(comm, pairs.vectors);
  return pairs;
}

}  // namespace stepwise
