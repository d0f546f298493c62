#include "stepwise/cli/run_main.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

void complain(const std::string& message) {
  fmt::print(stderr, "stepwise: error: {}\n", message);
  std::fflush(stderr);
}

/// What to do when this rank ends; nothing while it is being done.
std::function<bool(const Ending&)> on_end;

/// Returns whether the user has been told.
bool end(const Ending& ending) {
  return on_end && std::exchange(on_end, {})(ending);
}

[[noreturn]] void abort_job(const Error& error) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  const Ending ending{error.code(), fmt::format("[rank {}] {}", rank, error.what()), false};
  bool told = false;
  try {
    told = end(ending);
  } catch (...) {  // the message matters more
  }
  if (!told) complain(ending.message);
  MPI_Abort(MPI_COMM_WORLD, static_cast<int>(error.code()));
  std::abort();
}

/// Of the two failures of a run that fails and cannot say so, the first counts. Returns whether the user has been told.
bool end_together(const Error& error) {
  try {
    return end({error.code(), error.what()});
  } catch (const CollectiveError&) {
    return false;
  }
}

/// exit() would let HDF5's exit handler wait for the other ranks for ever.
[[noreturn]] void on_terminate() {
  abort_job(current_problem());
}

}  // namespace

int run_main(int argc, char** argv, const std::function<void(const Communicator&)>& body, const Ended& ended) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  std::set_terminate(on_terminate);
  ExitCode code = ExitCode::done;
  {
    const Communicator world(MPI_COMM_WORLD);
    if (ended) on_end = [&](const Ending& ending) { return ended(world, ending); };
    try {
      body(world);
      (void)end({});
    } catch (const CollectiveError& error) {
      code = error.code();
      if (!end_together(error) && world.rank() == 0) complain(error.what());
    } catch (...) {
      abort_job(current_problem());
    }
    on_end = {};
  }
  MPI_Finalize();
  return static_cast<int>(code);
}

}  // namespace stepwise
