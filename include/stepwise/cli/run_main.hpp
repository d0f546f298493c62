#pragma once

#include <functional>
#include <string>

#include "stepwise/core/error.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// What a run came to.
struct Ending {
  ExitCode code = ExitCode::done;
  std::string message;   ///< why it is not done
  bool together = true;  ///< all ranks end here, and may communicate; otherwise this one ends the job, alone
};

/// Called on every rank that ends, after `body`. Returns whether it has told the user the message. What it throws
/// itself when the ranks end together is a CollectiveError, and becomes the ending of a run that was done.
using Ended = std::function<bool(const Communicator&, const Ending&)>;

/// Runs `body` between MPI_Init and MPI_Finalize and turns what happens into an exit code, the same on every rank.
/// A CollectiveError gives one message from rank 0. Anything else is one rank's own misfortune: its message, then
/// MPI_Abort, since the other ranks may wait for it. Call once, from main.
[[nodiscard]] int run_main(int argc, char** argv, const std::function<void(const Communicator&)>& body,
                           const Ended& ended = {});

}  // namespace stepwise
