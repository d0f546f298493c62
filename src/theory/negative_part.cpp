#include <algorithm>
#include <cmath>

#include "stepwise/theory/contrastive.hpp"

namespace stepwise {

NegativePart negative_part(const std::vector<double>& eigenvalues) {
  double negative = 0;
  double all = 0;
  for (const double value : eigenvalues) {
    negative += std::max(-value, 0.0);
    all += std::abs(value);
  }
  return {std::min(eigenvalues.back(), 0.0), all > 0 ? negative / all : 0, false};
}

void require_positive(const NegativePart& negative, double largest, double allowed) {
  if (negative.mass <= allowed) return;
  throw CollectiveError(
      ExitCode::numerical,
      fmt::format(
          "the kernel matrix is not positive semidefinite: its smallest eigenvalue is {}{:.6g}, its largest "
          "{:.6g}; the negative ones make up {}{:.3g} of the sum of all magnitudes, at most {:.3g} is allowed{}",
          negative.estimated ? "at most " : "", negative.smallest, largest, negative.estimated ? "at least " : "",
          negative.mass, allowed,
          negative.estimated ? " (40 steps of Lanczos; --solver.method spectral shows all eigenvalues)" : ""));
}

}  // namespace stepwise
