#include "stepwise/cli/provenance.hpp"

#include <fmt/format.h>
#include <mpi.h>
#include <openblas_config.h>
#include <boost/version.hpp>

#include <array>

#include "stepwise_version.hpp"

extern "C" {
char* openblas_get_config();
int openblas_get_parallel();
}

namespace stepwise {

std::string version_line() {
  return fmt::format("stepwise {} (commit {}, {})", STEPWISE_VERSION, STEPWISE_COMMIT, STEPWISE_BUILD);
}

namespace {

std::string mpi_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  const std::string name(text.data(), static_cast<std::size_t>(length));
  return name.substr(0, name.find_first_of(",\n"));
}

std::string hdf5_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  h5::check(H5get_libversion(&major, &minor, &release), "asking for HDF5's version");
  return fmt::format("{}.{}.{}", major, minor, release);
}

}  // namespace

std::string libraries_text() {
  const std::string blas = openblas_get_config();  // "OpenBLAS 0.3.21 NO_LAPACKE ..."
  return fmt::format("{}, {}, ScaLAPACK {}, ELPA {}, HDF5 {}", mpi_version(),
                     blas.substr(0, blas.find(' ', blas.find(' ') + 1)), STEPWISE_SCALAPACK_VERSION,
                     STEPWISE_ELPA_VERSION, hdf5_version());
}

Attributes build_attributes() {
  return {{"program", "stepwise"},
          {"program_version", STEPWISE_VERSION},
          {"git_commit", STEPWISE_COMMIT},
          {"build", STEPWISE_BUILD},
          {"library_mpi", mpi_version()},
          {"library_blas", std::string(openblas_get_config())},
          {"library_scalapack", STEPWISE_SCALAPACK_VERSION},
          {"library_elpa", STEPWISE_ELPA_VERSION},
          {"library_hdf5", hdf5_version()},
          {"library_boost", BOOST_LIB_VERSION}};
}

namespace {

std::string mpi_threads() {
  int level = 0;
  MPI_Query_thread(&level);
  return level == MPI_THREAD_SINGLE       ? "single"
         : level == MPI_THREAD_FUNNELED   ? "funneled"
         : level == MPI_THREAD_SERIALIZED ? "serialized"
                                          : "multiple";
}

std::string mpi_standard() {
  int version = 0;
  int subversion = 0;
  MPI_Get_version(&version, &subversion);
  return fmt::format("{}.{}", version, subversion);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> installation() {
  constexpr std::array threading{"no threads of its own", "threads of its own (pthreads)", "OpenMP's threads"};
  const auto kind = static_cast<std::size_t>(openblas_get_parallel());
  const bool deflate = H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0;
  return {{"build", fmt::format("{}, flags {}", STEPWISE_BUILD, STEPWISE_FLAGS)},
          {"MPI", fmt::format("{}, standard {}, threads {}", mpi_version(), mpi_standard(), mpi_threads())},
          {"HDF5", fmt::format("{}, parallel, {} deflate", hdf5_version(), deflate ? "with" : "without")},
          {"BLAS", fmt::format("{}; {}", openblas_get_config(),
                               kind < threading.size() ? threading.at(kind) : "unknown threading")},
          {"ScaLAPACK", STEPWISE_SCALAPACK_VERSION},
          {"ELPA", STEPWISE_ELPA_VERSION},
          {"Boost", BOOST_LIB_VERSION}};
}

}  // namespace stepwise
