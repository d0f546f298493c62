#include "stepwise/dist/agree.hpp"

#include <fmt/format.h>

#include <array>
#include <new>
#include <stdexcept>

namespace stepwise {
namespace {

bool agreed_on_failure = false;

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
  agreed_on_failure = first != comm.size();
  if (!agreed_on_failure) return;
  int code = problem ? static_cast<int>(problem->code()) : 0;
  MPI_Bcast(&code, 1, MPI_INT, first, comm.raw());
  std::string message = broadcast(comm, problem ? std::string(problem->what()) : std::string(), first);
  const bool everybody = lowest[1] == comm.size();
  if (!everybody) message = fmt::format("[rank {}] {}", first, message);
  throw CollectiveError(static_cast<ExitCode>(code), message);
}

bool unwinding_together() noexcept {
  return agreed_on_failure;
}

}  // namespace stepwise
