#pragma once

#include <vector>

#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// Numbers of the cores that this process may run on, ascending.
[[nodiscard]] std::vector<int> allowed_cores();

/// Sets the number of OpenMP (and so BLAS) threads of this rank, unless OMP_NUM_THREADS is set: the cores that the
/// ranks of this node may use, divided by their number, and never more than this rank may use itself. Left alone, every
/// rank would start a thread on every core, and spinning threads of different ranks slow each other down a hundredfold.
/// Collective. Returns the number of threads.
int choose_threads(const Communicator& comm);

}  // namespace stepwise
