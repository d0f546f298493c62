#include "theory/direct.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace stepwise {

void count_modes(ContrastiveModes& modes, DirectReport& report) {
  const double largest = std::max(std::abs(modes.gamma.front()), std::abs(modes.gamma.back()));
  modes.noise_floor = noise_floor(std::ssize(modes.gamma), largest);
  for (const double gamma : modes.gamma) {
    report.positive += gamma > modes.noise_floor ? 1 : 0;
    report.rank += std::abs(gamma) > modes.noise_floor ? 1 : 0;
  }
}

void require_modes(std::int64_t d, std::int64_t pairs, std::int64_t found, double noise_floor) {
  if (d <= found) return;
  throw CollectiveError(ExitCode::input,
                        fmt::format("--modes is {}, but the contrastive kernel of these {} pairs has only {} positive "
                                    "modes (eigenvalues above the noise floor of {:.3g})",
                                    d, pairs, found, noise_floor));
}

void compare_trace(const ContrastiveModes& modes, DirectReport& report) {
  double total = 0;
  for (const double gamma : modes.gamma) total += gamma;
  const double largest = std::max(std::abs(modes.gamma.front()), std::abs(modes.gamma.back()));
  report.trace_error = std::abs(total - modes.mean_pair_kernel) / largest;
}

void check_modes(ContrastiveModes& modes, const DirectReport& direct) {
  double worst = 0;
  for (const double residual : modes.residuals) {
    if (!(residual <= worst)) worst = std::isfinite(residual) ? residual : std::numeric_limits<double>::infinity();
  }
  const double trace_limit =
      rejected_quality * static_cast<double>(modes.gamma.size()) * std::numeric_limits<double>::epsilon();
  if (worst > residual_limit || !(direct.trace_error <= trace_limit)) {
    throw CollectiveError(
        ExitCode::numerical,
        fmt::format(
            "the modes fail their checks: largest residual ||T a - gamma a||_K / gamma_1 = {:.3g} (at most {:.3g}), "
            "error of sum gamma {:.3g} (at most {:.3g})",
            worst, residual_limit, direct.trace_error, trace_limit));
  }
  const EigenReport& report = direct.eigensolve;
  for (const std::string& rejected : report.rejected) modes.notes.push_back("rejected for gamma: " + rejected);
  if (std::max(report.residual, report.orthogonality) > suspicious_quality) {
    modes.notes.push_back(fmt::format("{} is less accurate than usual: residual {:.3g}, orthogonality {:.3g} (n eps)",
                                      name(report.solver), report.residual, report.orthogonality));
  }
}

}  // namespace stepwise
