#include "stepwise/dist/agree.hpp"

#include <fmt/format.h>

#include <array>
#include <new>
#include <stdexcept>

#include "stepwise/core/stop.hpp"

namespace stepwise {
namespace {

bool agreed_on_failure = false;

/// Work that fails on one rank may leave the others inside a collective call of a library (HDF5, MPI-IO), which never
/// ends without this rank. Computations that fail are agreed on however long the others take: there may be another way.
bool may_leave_others_waiting(const Error& problem) {
  return problem.code() == ExitCode::io || problem.code() == ExitCode::memory || problem.code() == ExitCode::internal;
}

/// The smallest of each number over all ranks. A rank with a problem that the others do not come to hear of throws it.
std::array<int, 2> lowest_of_all(const Communicator& comm, std::array<int, 2> own,
                                 const std::optional<Error>& problem) {
  constexpr double patience = 10;
  static std::array<int, 2> result;  // outlives a wait that was given up
  static std::array<int, 2> sent;
  sent = own;
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Iallreduce(sent.data(), result.data(), 2, MPI_INT, MPI_MIN, comm.raw(), &request);
  if (!problem || !may_leave_others_waiting(*problem)) {
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    return result;
  }
  const double start = MPI_Wtime();
  for (int done = 0; done == 0;) {
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (done == 0 && MPI_Wtime() - start > patience) throw Error(*problem);
  }
  return result;
}

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
  const std::array<int, 2> own{problem ? comm.rank() : comm.size(), problem ? comm.size() : comm.rank()};
  agreed_on_failure = false;
  const std::array<int, 2> lowest = lowest_of_all(comm, own, problem);
  const int first = lowest[0];
  const bool everybody = lowest[1] == comm.size();
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
