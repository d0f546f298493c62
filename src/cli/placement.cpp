#include "stepwise/cli/placement.hpp"

#include <cblas.h>
#include <dlfcn.h>
#include <omp.h>
#include <sched.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <type_traits>

#include "stepwise/cli/threads.hpp"
#include "stepwise/core/timing.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

/// Of fixed size, for the message in which ranks tell each other.
struct Place {
  std::array<char, MPI_MAX_PROCESSOR_NAME + 1> host{};
  std::array<unsigned char, CPU_SETSIZE> cores{};
  int threads = 1;
};
static_assert(std::is_trivially_copyable_v<Place>);

/// OpenBLAS as built: 0 without threads, 1 with its own, 2 with OpenMP.
enum class BlasThreads { none = 0, own = 1, openmp = 2 };

BlasThreads blas_threads() {
  return static_cast<BlasThreads>(openblas_get_parallel());
}

Place my_place() {
  Place place;
  int length = 0;
  MPI_Get_processor_name(place.host.data(), &length);
  for (const int core : allowed_cores()) place.cores[static_cast<std::size_t>(core)] = 1;
  place.threads = omp_get_max_threads();
  if (blas_threads() == BlasThreads::own) place.threads = std::max(place.threads, openblas_get_num_threads());
  return place;
}

/// The file whose dgemm_ is in use: the linker's order of libraries decides, and the reference BLAS may come first.
std::string blas_file() {
  Dl_info info{};
  void* const symbol = dlsym(RTLD_DEFAULT, "dgemm_");
  if (symbol == nullptr || dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) return "";
  std::error_code error;
  const std::filesystem::path file = std::filesystem::canonical(info.dli_fname, error);
  return error ? info.dli_fname : file.string();
}

}  // namespace

Placement find_placement(const Communicator& comm) {
  const Place mine = my_place();
  std::vector<Place> all(static_cast<std::size_t>(comm.size()));
  MPI_Allgather(&mine, sizeof mine, MPI_BYTE, all.data(), sizeof mine, MPI_BYTE, comm.raw());
  Placement placement;
  for (const Place& place : all) {
    RankPlace& rank = placement.ranks.emplace_back(RankPlace{place.host.data(), {}, place.threads});
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (place.cores[static_cast<std::size_t>(core)] != 0) rank.cores.push_back(core);
    }
  }
  placement.user_threads = std::getenv("OMP_NUM_THREADS") != nullptr;
  placement.ignored_variable = std::getenv("OPENBLAS_NUM_THREADS") != nullptr && blas_threads() == BlasThreads::openmp;
  placement.foreign_threads = blas_threads() == BlasThreads::own && openblas_get_num_threads() > 1;
  placement.blas = blas_file();
  return placement;
}

double measure_dgemm(const Communicator& comm) {
  constexpr int n = 768;
  constexpr double seconds = 0.3;
  constexpr double flops = 2.0 * n * n * n;
  std::vector<double> numbers;
  attempt(comm, [&] { numbers.assign(std::size_t{3} * n * n, 0.5); });
  const double* const a = numbers.data();
  const double* const b = a + n * n;
  double* const c = numbers.data() + 2 * n * n;
  const auto multiply = [&] { cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, n, n, n, 1, a, n, b, n, 0, c, n); };
  multiply();  // threads start, pages are touched
  MPI_Barrier(comm.raw());
  const Stopwatch watch;
  int count = 0;
  while (count == 0 || watch.seconds() < seconds) {
    multiply();
    ++count;
  }
  return count * flops / watch.seconds();
}

}  // namespace stepwise
