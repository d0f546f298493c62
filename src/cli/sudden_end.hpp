#pragma once

#include <string>

#include "stepwise/core/error.hpp"

namespace stepwise {

/// Writes `message` to standard error as the program's error.
void complain(const std::string& message);

/// From now on this rank says so when a signal kills it, when somebody calls exit() (HDF5, ELPA and BLAS libraries
/// may), and when MPI-IO fails; the latter two end the job. Call after MPI_Init; local.
void announce_sudden_ends(int rank);

/// Ends of this process are intended again. Call before MPI_Finalize; local.
void expect_end();

/// Ends the job by MPI_Abort, after this rank's message if one is given. For any thread: all that matters is that the
/// job ends, and where MPI_Abort cannot end it the death of this process does.
[[noreturn]] void abort_job(ExitCode code);
[[noreturn]] void abort_job(ExitCode code, const std::string& message);

}  // namespace stepwise
