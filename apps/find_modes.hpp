#pragma once

#include <string>

#include "checkpoint.hpp"
#include "problem.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/theory/agreement.hpp"
#include "stepwise/theory/contrastive.hpp"

namespace stepwise {

/// K of the training samples as the kernel is, not centred. Collective. Memory per rank: a local matrix of the layout.
/// @throws CollectiveError, (stopped) among them.
[[nodiscard]] DistMatrix kernel_matrix(const Problem& problem, Report& report);

/// gamma and the modes by `method`: cholesky, spectral, krylov or primal. auto goes on from cholesky to spectral where
/// it does not reach its accuracy, and says so in `method`. What takes long is kept in `checkpoint`, if there is one.
/// Collective. @throws CollectiveError, (stopped) among them.
[[nodiscard]] ContrastiveModes find_modes(const Problem& given, std::string& method, Report& report,
                                          Checkpoint* checkpoint = nullptr);

/// The same problem solved by another method, and what the two differ by.
struct SecondOpinion {
  std::string method;
  Disagreement difference;
};

/// Collective. @throws CollectiveError(numerical) when a gamma differs by more than both methods' residuals allow.
[[nodiscard]] SecondOpinion second_opinion(const Problem& problem, const std::string& method,
                                           const ContrastiveModes& modes, Report& report);

}  // namespace stepwise
