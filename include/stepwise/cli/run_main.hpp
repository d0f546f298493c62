#pragma once

#include <functional>

#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// Runs `body` between MPI_Init and MPI_Finalize and turns what happens into an exit code, the same on every rank.
/// A CollectiveError gives one message from rank 0. Anything else is one rank's own misfortune: its message, then
/// MPI_Abort, since the other ranks may wait for it. Call once, from main.
[[nodiscard]] int run_main(int argc, char** argv, const std::function<void(const Communicator&)>& body);

}  // namespace stepwise
