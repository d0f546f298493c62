#include "stepwise/dist/shared_counter.hpp"

#include <exception>

#include "stepwise/dist/agree.hpp"

namespace stepwise {

SharedCounter::SharedCounter(const Communicator& comm) {
  std::int64_t* number = nullptr;
  const bool owner = comm.rank() == 0;
  MPI_Win_allocate(owner ? sizeof(std::int64_t) : 0, sizeof(std::int64_t), MPI_INFO_NULL, comm.raw(), &number,
                   &window_);
  if (owner) {
    MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, window_);
    *number = 0;
    MPI_Win_unlock(0, window_);
  }
  MPI_Barrier(comm.raw());
}

SharedCounter::~SharedCounter() {
  if (std::uncaught_exceptions() > 0 && !unwinding_together()) return;
  MPI_Win_free(&window_);
}

std::int64_t SharedCounter::take(std::int64_t count) {
  std::int64_t before = 0;
  MPI_Win_lock(MPI_LOCK_SHARED, 0, 0, window_);
  MPI_Fetch_and_op(&count, &before, MPI_INT64_T, 0, 0, MPI_SUM, window_);
  MPI_Win_unlock(0, window_);
  return before;
}

}  // namespace stepwise
