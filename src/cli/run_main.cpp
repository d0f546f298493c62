#include "stepwise/cli/run_main.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <cstdlib>
#include <exception>
#include <utility>

#include "cli/sudden_end.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

/// What to do when this rank ends; nothing while it is being done.
std::function<bool(const Ending&)> on_end;

/// Returns whether the user has been told.
bool end(const Ending& ending) {
  return on_end && std::exchange(on_end, {})(ending);
}

/// This rank's own failure, which the others do not know of.
[[noreturn]] void end_alone(const Error& error) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  const std::string message = fmt::format("[rank {}] {}", rank, error.what());
  bool told = false;
  try {
    told = end({error.code(), message, false});
  } catch (...) {  // the message matters more
  }
  if (!told) complain(message);
  abort_job(error.code());
}

/// Of the two failures of a run that fails and cannot say so, the first counts. Returns whether the user has been told.
bool end_together(const Error& error) {
  try {
    return end({error.code(), error.what()});
  } catch (const CollectiveError&) {
    return false;
  }
}

/// exit() would end this rank alone.
[[noreturn]] void on_terminate() {
  end_alone(current_problem());
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
    if (ended) on_end = [&](const Ending& ending) { return ended(world, ending); };
    try {
      body(world);
      (void)end({});
    } catch (const CollectiveError& error) {
      code = error.code();
      if (!end_together(error) && world.rank() == 0) complain(error.what());
    } catch (...) {
      end_alone(current_problem());
    }
    on_end = {};
  }
  expect_end();
  MPI_Finalize();
  return static_cast<int>(code);
}

}  // namespace stepwise
