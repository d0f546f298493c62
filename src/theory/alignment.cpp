#include "stepwise/theory/alignment.hpp"

#include <algorithm>

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/dist/lapack.hpp"

namespace stepwise {

InitialCondition align(MatrixView<const double> m) {
  if (m.rows != m.cols) fail(ExitCode::internal, "align: a {} x {} matrix is not square", m.rows, m.cols);
  const auto size = static_cast<std::size_t>(m.rows);
  QrFactors factors = qr_factors(m, true);
  InitialCondition start{{}, std::move(factors.q)};
  for (std::size_t j = 0; j < size; ++j) start.s0.push_back(factors.r[j + j * size]);
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
