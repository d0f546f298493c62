#include "stepwise/cli/threads.hpp"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <numeric>

namespace stepwise {

std::vector<int> allowed_cores() {
  std::vector<int> cores;
  cpu_set_t mine;
  CPU_ZERO(&mine);
  // With more processors than the set can name the call fails; then OpenMP's own count is all there is.
  if (sched_getaffinity(0, sizeof mine, &mine) != 0) {
    cores.resize(static_cast<std::size_t>(std::min(omp_get_num_procs(), CPU_SETSIZE)));
    std::iota(cores.begin(), cores.end(), 0);
    return cores;
  }
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &mine)) cores.push_back(cpu);
  }
  return cores;
}

int choose_threads(const Communicator& comm) {
  const std::vector<int> mine = allowed_cores();
  std::array<unsigned char, CPU_SETSIZE> cores{};
  for (const int core : mine) cores[static_cast<std::size_t>(core)] = 1;
  MPI_Comm node = MPI_COMM_NULL;
  MPI_Comm_split_type(comm.raw(), MPI_COMM_TYPE_SHARED, comm.rank(), MPI_INFO_NULL, &node);
  int ranks = 1;
  MPI_Comm_size(node, &ranks);
  MPI_Allreduce(MPI_IN_PLACE, cores.data(), CPU_SETSIZE, MPI_UNSIGNED_CHAR, MPI_BOR, node);
  MPI_Comm_free(&node);
  if (std::getenv("OMP_NUM_THREADS") == nullptr) {
    const auto usable = static_cast<int>(std::count(cores.begin(), cores.end(), 1));
    omp_set_num_threads(std::max(1, std::min(static_cast<int>(mine.size()), usable / ranks)));
  }
  return omp_get_max_threads();
}

}  // namespace stepwise
