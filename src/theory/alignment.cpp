#include "stepwise/theory/alignment.hpp"

#include <algorithm>

#include "stepwise/core/index.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"

extern "C" {
void dgeqrf_(const int* m, const int* n, double* a, const int* lda, double* tau, double* work, const int* lwork,
             int* info);
void dorgqr_(const int* m, const int* n, const int* k, double* a, const int* lda, const double* tau, double* work,
             const int* lwork, int* info);
}

namespace stepwise {

InitialCondition align(MatrixView<const double> m) {
  if (m.rows != m.cols) fail(ExitCode::internal, "align: a {} x {} matrix is not square", m.rows, m.cols);
  const int d = narrow(m.rows, "the number of modes");
  const auto size = static_cast<std::size_t>(d);
  InitialCondition start;
  start.u.resize(size * size);
  for (std::int64_t j = 0; j < d; ++j) std::copy_n(m.column(j), d, start.u.data() + j * d);
  std::vector<double> tau(size);
  std::vector<double> work(64 * size);  // LAPACK's block size is at most 64
  const int lwork = static_cast<int>(work.size());
  int info = 0;
  dgeqrf_(&d, &d, start.u.data(), &d, tau.data(), work.data(), &lwork, &info);
  if (info != 0) fail(ExitCode::internal, "dgeqrf: argument {} is wrong", -info);
  for (std::size_t j = 0; j < size; ++j) start.s0.push_back(start.u[j + j * size]);
  dorgqr_(&d, &d, &d, start.u.data(), &d, tau.data(), work.data(), &lwork, &info);
  if (info != 0) fail(ExitCode::internal, "dorgqr: argument {} is wrong", -info);
  for (std::size_t j = 0; j < size; ++j) {
    if (start.s0[j] >= 0) continue;
    start.s0[j] *= -1;
    for (std::size_t i = 0; i < size; ++i) start.u[i + j * size] *= -1;
  }
  return start;
}

InitialCondition align_outputs(const BlockVector& f0, const Embedding& embedding, const Communicator& comm) {
  const std::int64_t d = embedding.dual.width;
  attempt(comm, [&] {
    if (f0.width != d || f0.range != embedding.dual.range) {
      fail(ExitCode::internal, "align_outputs: {} outputs for {} modes, or dealt out differently", f0.width, d);
    }
  });
  std::vector<double> product(static_cast<std::size_t>(d * d));
  gemm(1, Transpose::no, f0.local(), Transpose::yes, embedding.dual.local(), 0, {product.data(), d, d, d});
  sum(comm, product);
  return align({product.data(), d, d, d});
}

}  // namespace stepwise
