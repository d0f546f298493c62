#include "stepwise/cli/run_main.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <cstdlib>
#include <exception>

#include "cli/sudden_end.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

[[noreturn]] void abort_with(const Error& error) {
  abort_job(error.code(), error.what());
}

/// Returns whether the user has been told.
bool end(const Ended& ended, const Communicator& comm, const Ending& ending) {
  call_last_words({});
  return ended && ended(comm, ending);
}

/// Of the two failures of a run that fails and cannot say so, the first counts. Returns whether the user has been told.
bool end_together(const Ended& ended, const Communicator& comm, const Error& error) {
  try {
    return end(ended, comm, {error.code(), error.what()});
  } catch (const CollectiveError&) {
    return false;
  }
}

/// exit() would end this rank alone.
[[noreturn]] void on_terminate() {
  abort_with(current_problem());
}

/// Open MPI's own MPI-IO, its default on most file systems, takes no notice when the system writes less than it was
/// asked to, nor in collective calls of errors: the file is broken and nobody knows. ROMIO, which it has too, goes on
/// writing and reports. A user's setting counts.
void choose_mpi_io() {
  setenv("OMPI_MCA_io", "^ompio", 0);
}

}  // namespace

int run_main(int argc, char** argv, const std::function<void(const Communicator&)>& body, const Ended& ended) {
  H5dont_atexit();  // its exit handler would wait for the other ranks; MPI_Finalize closes HDF5 as well
  choose_mpi_io();
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  std::set_terminate(on_terminate);
  ExitCode code = ExitCode::done;
  {
    const Communicator world(MPI_COMM_WORLD);
    announce_sudden_ends(world.rank());
    call_last_words([&](ExitCode why, const std::string& message) {
      return ended && ended(world, {why, message, false});
    });
    bool ending = false;
    try {
      body(world);
      ending = true;
      (void)end(ended, world, {});
    } catch (const CollectiveError& error) {
      const bool told = !ending && end_together(ended, world, error);
      if (world.rank() == 0 && !told) {
        error.code() == ExitCode::stopped ? fmt::print(stderr, "stepwise: stopped {}\n", error.what())
                                          : complain(error.what());
      }
      code = error.code();
    } catch (...) {
      abort_with(current_problem());
    }
    call_last_words({});
  }
  expect_end();
  MPI_Finalize();
  return static_cast<int>(code);
}

}  // namespace stepwise
