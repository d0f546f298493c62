#include "stepwise/cli/provenance.hpp"

#include <fmt/format.h>
#include <mpi.h>
#include <openblas_config.h>
#include <boost/version.hpp>

#include <array>

#include "stepwise_version.hpp"

extern "C" char* openblas_get_config();

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

}  // namespace stepwise
