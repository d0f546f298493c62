#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

extern "C" void dsyev_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w,
                       double* work, const int* lwork, int* info);

namespace stepwise::test {

/// Eigenvalues, descending, and the matching eigenvectors (columns) of a symmetric column-major matrix, sequentially.
struct SequentialEigen {
  std::vector<double> values;
  std::vector<double> vectors;
};

inline SequentialEigen sequential_eigen(std::vector<double> a, std::int64_t size) {
  const int n = static_cast<int>(size);
  for (double& x : a) x = -x;
  std::vector<double> values(static_cast<std::size_t>(n));
  std::vector<double> work(static_cast<std::size_t>(34 * n));
  const int lwork = static_cast<int>(work.size());
  int info = 0;
  dsyev_("V", "U", &n, a.data(), &n, values.data(), work.data(), &lwork, &info);
  if (info != 0) throw std::runtime_error("dsyev failed");
  for (double& x : values) x = -x;
  return {values, a};
}

}  // namespace stepwise::test
