#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace stepwise {

/// What a process returns to the shell. The values are part of the user interface.
enum class ExitCode : int {
  done = 0,       ///< the work is complete
  failed = 1,     ///< a file does not keep what it promises (stepwise verify)
  input = 2,      ///< usage, configuration or input data
  io = 3,         ///< reading or writing failed
  numerical = 4,  ///< a numerical check failed
  memory = 5,     ///< not enough memory
  internal = 70,  ///< a bug
  stopped = 75,   ///< stopped early, resumable
};

/// A failure seen by this rank alone. The message says what, where, the offending value and what to do.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// The same failure, with the same message, thrown by every rank of a communicator at the same point.
class CollectiveError : public Error {
 public:
  using Error::Error;
};

/// Throws Error with a formatted message.
template <class... Args>
[[noreturn]] void fail(ExitCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace stepwise
