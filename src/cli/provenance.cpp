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

Attributes build_attributes() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  h5::check(H5get_libversion(&major, &minor, &release), "asking for HDF5's version");
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> mpi{};
  int length = 0;
  MPI_Get_library_version(mpi.data(), &length);
  std::string mpi_name(mpi.data(), static_cast<std::size_t>(length));
  mpi_name.resize(std::min(mpi_name.size(), mpi_name.find_first_of(",\n")));
  return {{"program", "stepwise"},
          {"program_version", STEPWISE_VERSION},
          {"git_commit", STEPWISE_COMMIT},
          {"build", STEPWISE_BUILD},
          {"library_mpi", mpi_name},
          {"library_blas", std::string(openblas_get_config())},
          {"library_scalapack", STEPWISE_SCALAPACK_VERSION},
          {"library_elpa", STEPWISE_ELPA_VERSION},
          {"library_hdf5", fmt::format("{}.{}.{}", major, minor, release)},
          {"library_boost", BOOST_LIB_VERSION}};
}

}  // namespace stepwise
