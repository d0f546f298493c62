#pragma once

#include <optional>
#include <string>

#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// Seconds in "HH:MM:SS" or "D-HH:MM:SS", as SLURM writes them; "MM:SS" too. Nothing if it is none of them.
[[nodiscard]] std::optional<double> parse_duration(const std::string& text);

/// What SLURM says is left of the job that this process is part of; nothing outside a job, or where the job has no
/// limit. Asks the environment (SLURM_JOB_END_TIME), else squeue, which may take a second. Local.
[[nodiscard]] std::optional<double> slurm_seconds_left();

/// SIGUSR1 counts from now on, until there is a TimeLimit to ask for what it wants; without this it would kill. Call
/// before MPI_Init. Local.
void hold_signals();

/// What may end a run early. While one exists, SIGUSR1, SIGTERM, SIGINT and the approaching end of the wall time
/// request a stop (core/stop.hpp). The same signal once more, two seconds later or after that, ends the process at once
/// with exit code 75: by then somebody wants it gone. (Until then it is the same one on another way, as mpirun and srun
/// pass signals on. A second SIGTERM is ignored: SIGKILL will follow anyway, and what is left of the time is well
/// used.)
class TimeLimit {
 public:
  /// `seconds`: what is left for this run, as rank 0 sees it; nothing: no limit. Collective.
  TimeLimit(const Communicator& comm, std::optional<double> seconds);
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;
  /// Leaves signals as they are by default, but SIGUSR1, which is ignored: the work is done.
  ~TimeLimit();

  /// Until the wall time is over; infinite without a limit.
  [[nodiscard]] double seconds_left() const;
  /// What ending takes: the stop is requested so long before the end of the wall time.
  [[nodiscard]] double reserve() const noexcept { return reserve_; }
  /// Makes the reserve at least so long: what it takes is known better by now.
  void keep_free(double seconds);
  /// Requests the stop now: what comes next does not fit into the time that is left.
  void give_up() const;
  /// "signal SIGUSR1", "the end of the wall time": what has requested the stop on this rank.
  [[nodiscard]] std::string cause() const;

 private:
  void arm() const;

  double end_ = 0;  // in seconds of the steady clock
  double reserve_ = 0;
};

}  // namespace stepwise
