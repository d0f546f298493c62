#include <algorithm>
#include <utility>

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/pairing.hpp"
#include "stepwise/theory/contrastive.hpp"

namespace stepwise {

KernelOperator contrastive_operator(std::int64_t samples, ProductWithK kernel, const Pairing& pairing) {
  const double factor = 1 / pairing.norm(samples);
  const auto scaled_pairing = [factor, pairing](MatrixView<double> v) {
    apply_pairing(pairing, v);
    for (std::int64_t s = 0; s < v.cols; ++s) {
      for (std::int64_t j = 0; j < v.rows; ++j) v(j, s) *= factor;
    }
  };
  return {samples, pairing.views, std::move(kernel), scaled_pairing};
}

ContrastiveModes krylov_modes(const Communicator& comm, const KernelOperator& t, const KrylovOptions& options) {
  const std::int64_t samples = t.samples;
  const Stopwatch watch;
  KrylovPairs pairs = krylov_pairs(comm, t, options);
  const auto found = static_cast<std::int64_t>(pairs.values.size());
  if (found < options.modes) {
    throw CollectiveError(
        ExitCode::input,
        fmt::format(
            "--modes is {}, but the contrastive kernel of these {} pairs has only {} positive modes that krylov can "
            "tell from rounding; --solver.method cholesky computes all eigenvalues",
            options.modes, samples / t.group, found));
  }
  ContrastiveModes modes;
  modes.pairing = {t.group};
  modes.gamma = std::move(pairs.values);
  modes.dual = std::move(pairs.vectors);
  modes.kernel_dual = std::move(pairs.kernel_vectors);
  modes.noise_floor = noise_floor(samples, modes.gamma.front());
  modes.residuals = std::move(pairs.residuals);
  modes.report = KrylovReport{pairs.products, pairs.rounds, pairs.rough_rounds, pairs.restarts, options.tolerance};
  if (pairs.too_rough) modes.notes.emplace_back("single precision did not resolve the modes: all products in double");
  const auto n = static_cast<double>(samples);
  modes.stages = {{"products with K", pairs.product_seconds, 2 * n * n * static_cast<double>(pairs.products)},
                  {"orthogonalisation", watch.seconds() - pairs.product_seconds, 0}};
  const double worst = *std::max_element(modes.residuals.begin(), modes.residuals.end());
  if (!(worst <= options.tolerance)) {
    throw CollectiveError(ExitCode::numerical,
                          fmt::format("the modes' true residuals are up to {:.3g}, wanted {:.3g}: rounding in the "
                                      "products; loosen --solver.tolerance",
                                      worst, options.tolerance));
  }
  return modes;
}

}  // namespace stepwise
