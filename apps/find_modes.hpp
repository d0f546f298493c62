#pragma once

#include <string>

#include "problem.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/theory/agreement.hpp"
#include "stepwise/theory/contrastive.hpp"

namespace stepwise {

/// gamma and the modes by `method`: cholesky, spectral, krylov or primal. auto goes on from cholesky to spectral where
/// it does not reach its accuracy, and says so in `method`. Collective.
[[nodiscard]] ContrastiveModes find_modes(const Problem& problem, std::string& method, Report& report);

/// The same problem solved by another method, and what the two differ by.
struct SecondOpinion {
  std::string method;
  Disagreement difference;
};

/// Collective. @throws CollectiveError(numerical) when a gamma differs by more than both methods' residuals allow.
[[nodiscard]] SecondOpinion second_opinion(const Problem& problem, const std::string& method,
                                           const ContrastiveModes& modes, Report& report);

}  // namespace stepwise
