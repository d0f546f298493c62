#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif

// The program runs without OpenMP too, on one thread.

namespace stepwise {

inline int thread_count() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

inline int thread_number() {
#ifdef _OPENMP
  return omp_get_thread_num();
#else
  return 0;
#endif
}

}  // namespace stepwise
