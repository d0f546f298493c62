#pragma once

#include <string>
#include <utility>
#include <vector>

#include "stepwise/io/result_file.hpp"

namespace stepwise {

/// "stepwise 0.1.0 (commit 0123456789ab, Release, GNU-12.2.0)"
[[nodiscard]] std::string version_line();

/// "Open MPI v4.1.4, OpenBLAS 0.3.21, ..."
[[nodiscard]] std::string libraries_text();

/// Name, version, commit, build and the versions of the libraries underneath, as attributes. Local; needs no MPI
/// session.
[[nodiscard]] Attributes build_attributes();

/// What is underneath, for a person to read, a name and a text in each row: build and flags, MPI and its threads, HDF5
/// and what it can do, the BLAS and who makes its threads, and so on. After MPI_Init. Local.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> installation();

}  // namespace stepwise
