#include "stepwise/theory/agreement.hpp"

#include <algorithm>
#include <cmath>

#include "stepwise/dist/gemm.hpp"
#include "stepwise/solve/small_eigen.hpp"

namespace stepwise {

Disagreement compare(const ContrastiveModes& a, const ContrastiveModes& b, const Communicator& comm) {
  const std::int64_t d = a.dual.width;
  Disagreement found;
  for (std::size_t j = 0; j < static_cast<std::size_t>(d); ++j) {
    found.gamma = std::max(found.gamma, std::abs(a.gamma[j] - b.gamma[j]) / a.gamma.front());
  }
  const auto inner = [&](const BlockVector& u, const BlockVector& v) {
    std::vector<double> c(static_cast<std::size_t>(d * d));
    gemm(1, Transpose::no, u.local(), Transpose::yes, v.local(), 0, {c.data(), d, d, d});
    sum(comm, c);
    return c;
  };
  // R = B - A (A^T K B): its K-norm is the sine of the largest angle, with all digits where it is small.
  const std::vector<double> c = inner(a.kernel_dual, b.dual);
  BlockVector rest = b.dual;
  BlockVector image = b.kernel_dual;
  gemm(-1, Transpose::yes, {c.data(), d, d, d}, Transpose::no, a.dual.local(), 1, rest.local());
  gemm(-1, Transpose::yes, {c.data(), d, d, d}, Transpose::no, a.kernel_dual.local(), 1, image.local());
  const double square = small_eigenpairs(comm, inner(rest, image), d).values.front();
  found.angle = std::asin(std::min(std::sqrt(std::max(square, 0.0)), 1.0));
  return found;
}

}  // namespace stepwise
