#include "stepwise/cli/spread.hpp"

namespace stepwise {

Spread spread_of(const Communicator& comm, double mine) {
  struct {
    double value;
    int rank;
  } largest{mine, comm.rank()};
  MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE_INT, MPI_MAXLOC, comm.raw());
  return {-max(comm, -mine), sum(comm, mine) / comm.size(), largest.value, largest.rank};
}

}  // namespace stepwise
