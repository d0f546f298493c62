#include "study.hpp"

namespace stepwise {

void simulate_supervised(const Study&) {
  throw CollectiveError(ExitCode::internal, "not yet");
}

}  // namespace stepwise
