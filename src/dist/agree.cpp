#include "stepwise/dist/agree.hpp"

#include <fmt/format.h>

#include <array>
#include <new>
#include <stdexcept>

#include "stepwise/core/stop.hpp"

namespace stepwise {
namespace {

bool agreed_on_failure = false;

/// All ranks throw what `problem` is on rank `source`.
[[noreturn]] void throw_together(const Communicator& comm, const std::optional<Error>& problem, int source,
                                 bool name_rank) {
  agreed_on_failure = true;
  int number = problem ? static_cast<int>(problem->code()) : 0;
  MPI_Bcast(&number, 1, MPI_INT, source, comm.raw());
  const auto code = static_cast<ExitCode>(number);
  std::string message = broadcast(comm, problem ? std::string(problem->what()) : std::string(), source);
  // Bad input is bad whoever meets it.
  if (name_rank && code != ExitCode::input) message = fmt::format("[rank {}] {}", source, message);
  throw CollectiveError(code, message);
}

}  // namespace

Error current_problem() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return {ExitCode::memory, "out of memory: use more ranks or nodes, or fewer pairs"};
  } catch (const std::length_error&) {  // what a vector says of a size beyond any memory
    return {ExitCode::memory, "out of memory: an array beyond the address space was asked for"};
  } catch (const std::exception& error) {
    return {ExitCode::internal, fmt::format("unexpected failure: {}", error.what())};
  } catch (...) {
    return {ExitCode::internal, "unexpected failure of unknown type"};
  }
}

void agree(const Communicator& comm, const std::optional<Error>& problem) {
  // Lowest failing rank, and lowest healthy one, to know whether the problem is everybody's.
  std::array<int, 2> lowest{problem ? comm.rank() : comm.size(), problem ? comm.size() : comm.rank()};
  MPI_Allreduce(MPI_IN_PLACE, lowest.data(), 2, MPI_INT, MPI_MIN, comm.raw());
  const int first = lowest[0];
  const bool everybody = lowest[1] == comm.size();
  agreed_on_failure = false;
  if (first != comm.size()) throw_together(comm, problem, first, !everybody);
}

void agree_with_root(const Communicator& comm, const std::optional<Error>& problem) {
  int failed = problem ? 1 : 0;
  MPI_Bcast(&failed, 1, MPI_INT, 0, comm.raw());
  agreed_on_failure = false;
  if (failed != 0) throw_together(comm, problem, 0, false);
}

void stop_together(const Communicator& comm) {
  if (max(comm, std::int64_t{stop_requested()}) == 0) return;
  agreed_on_failure = true;
  throw CollectiveError(ExitCode::stopped, "stopped early");
}

bool unwinding_together() noexcept {
  return agreed_on_failure;
}

}  // namespace stepwise
