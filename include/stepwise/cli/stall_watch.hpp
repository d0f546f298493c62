#pragma once

#include <cstdint>
#include <thread>

#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// Ends the job when a rank of this node stands still while the others wait for it. While this lives, a thread of every
/// rank looks once a second at the next rank of its node, in /proc: has it ended, is it stopped, or does it not run at
/// all? Waiting for other ranks uses processor time, so whoever uses none is not waiting for them; where MPI sleeps
/// while it waits that is noticed at the beginning, and only ranks that ended or are stopped count. What counts is how
/// often the watching rank woke up meanwhile: a job that is suspended as a whole is not punished for it.
class StallWatch {
 public:
  /// Collective; takes a twentieth of a second. `limit`: seconds that a rank may stand still; of a rank that ended or
  /// is stopped no more than 20 are waited for. 0: no watch. Without /proc, or with one rank in all, there is none.
  StallWatch(const Communicator& comm, std::int64_t limit);

 private:
  std::jthread thread_;
};

}  // namespace stepwise
