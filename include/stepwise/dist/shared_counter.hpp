#pragma once

#include <cstdint>

#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// A number on rank 0 that every rank can take from when it likes, while the others work: shares out tasks to whoever
/// is free. One-sided: nobody waits for a rank that has failed.
class SharedCounter {
 public:
  /// Starts at 0. Collective.
  explicit SharedCounter(const Communicator& comm);
  SharedCounter(const SharedCounter&) = delete;
  SharedCounter& operator=(const SharedCounter&) = delete;
  /// Collective, unless this rank alone unwinds: then the job is being aborted.
  ~SharedCounter();

  /// Adds `count` and returns what was there before. Local, by the thread that initialised MPI.
  std::int64_t take(std::int64_t count = 1);

 private:
  MPI_Win window_ = MPI_WIN_NULL;
};

}  // namespace stepwise
