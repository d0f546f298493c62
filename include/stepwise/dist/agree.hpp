#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include "stepwise/core/error.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// Brings all ranks to the same conclusion: returns when no rank has a problem; otherwise every rank throws the
/// lowest failing rank's problem. It is prefixed with that rank if not all had it, except for bad input, which is bad
/// whoever met it.
/// Collective. One 8-byte Allreduce when all is well. @throws CollectiveError. A rank whose problem is I/O, memory or a
/// bug waits 10 s for the others, which may be waiting for it elsewhere; then it throws the Error alone, and the job
/// must end.
void agree(const Communicator& comm, const std::optional<Error>& problem);

/// The same for work that rank 0 did for all: what happened there is everybody's problem, without a rank's name.
/// Collective; `problem` counts on rank 0 only. @throws CollectiveError.
void agree_with_root(const Communicator& comm, const std::optional<Error>& problem);

/// The problem that the exception now being handled stands for. Call inside a catch block.
[[nodiscard]] Error current_problem();

/// Runs rank-local `work` and agrees on its success before anybody goes on to the next collective.
/// `work` must not communicate. Collective. Returns what `work` returns. @throws CollectiveError.
template <class Work>
auto attempt(const Communicator& comm, Work&& work) {
  using Result = std::invoke_result_t<Work>;
  std::optional<Error> problem;
  if constexpr (std::is_void_v<Result>) {
    try {
      std::forward<Work>(work)();
    } catch (...) {
      problem = current_problem();
    }
    agree(comm, problem);
  } else {
    std::optional<Result> result;
    try {
      result.emplace(std::forward<Work>(work)());
    } catch (...) {
      problem = current_problem();
    }
    agree(comm, problem);
    return std::move(*result);
  }
}

/// Runs `work` on rank 0 only and agrees on its success. Collective. @throws CollectiveError.
template <class Work>
void attempt_on_root(const Communicator& comm, Work&& work) {
  std::optional<Error> problem;
  if (comm.rank() == 0) {
    try {
      std::forward<Work>(work)();
    } catch (...) {
      problem = current_problem();
    }
  }
  agree_with_root(comm, problem);
}

/// Ends the work under way on every rank as soon as one of them has been asked to stop (core/stop.hpp). Collective. One
/// 8-byte Allreduce. @throws CollectiveError(stopped).
void stop_together(const Communicator& comm);

/// True from the moment agree() throws: objects whose destruction is collective may then communicate while they unwind,
/// because all ranks unwind together. After any other exception they must not.
[[nodiscard]] bool unwinding_together() noexcept;

}  // namespace stepwise
