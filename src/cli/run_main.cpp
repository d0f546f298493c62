#include "stepwise/cli/run_main.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

void complain(const std::string& message) {
  fmt::print(stderr, "stepwise: error: {}\n", message);
  std::fflush(stderr);
}

[[noreturn]] void abort_job(const Error& error) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  complain(fmt::format("[rank {}] {}", rank, error.what()));
  MPI_Abort(MPI_COMM_WORLD, static_cast<int>(error.code()));
  std::abort();
}

/// exit() would let HDF5's exit handler wait for the other ranks for ever.
[[noreturn]] void on_terminate() {
  abort_job(current_problem());
}

}  // namespace

int run_main(int argc, char** argv, const std::function<void(const Communicator&)>& body) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  std::set_terminate(on_terminate);
  ExitCode code = ExitCode::done;
  {
    const Communicator world(MPI_COMM_WORLD);
    try {
      body(world);
    } catch (const CollectiveError& error) {
      if (world.rank() == 0) {
        error.code() == ExitCode::stopped ? fmt::print(stderr, "stepwise: stopped {}\n", error.what())
                                          : complain(error.what());
      }
      code = error.code();
    } catch (...) {
      abort_job(current_problem());
    }
  }
  MPI_Finalize();
  return static_cast<int>(code);
}

}  // namespace stepwise
