#include "stepwise/cli/stall_watch.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>

#include "cli/sudden_end.hpp"

namespace stepwise {
namespace {

/// What tells a process from all others of a node, and its rank.
struct Process {
  std::int64_t rank = 0;
  std::int64_t id = 0;
  std::int64_t start = 0;  // in clock ticks since boot: process ids are used again
};

/// A process at one moment, from /proc.
struct Look {
  char state = ' ';
  std::int64_t start = 0;
  std::int64_t ticks = 0;     // of processor time, all threads
  std::int64_t switches = 0;  // how often the main thread gave its core away
};

std::optional<Look> look_at(std::int64_t id) {
  std::ifstream stat(fmt::format("/proc/{}/stat", id));
  std::string line;
  if (!std::getline(stat, line) || line.rfind(')') == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(line.rfind(')') + 1));  // the name before may have spaces
  Look look;
  fields >> look.state;
  constexpr int utime = 14;
  constexpr int stime = 15;
  constexpr int starttime = 22;
  std::int64_t value = 0;
  for (int field = 4; field <= starttime && fields >> value; ++field) {
    if (field == utime || field == stime) look.ticks += value;
    if (field == starttime) look.start = value;
  }
  std::ifstream status(fmt::format("/proc/{}/status", id));
  while (std::getline(status, line)) {
    const auto colon = line.find("ctxt_switches:");
    if (colon != std::string::npos) look.switches += std::stoll(line.substr(line.find(':') + 1));
  }
  return look;
}

/// The next rank of this node in a ring, as it knows itself. Collective.
Process next_on_node(const Communicator& comm) {
  const Process own{comm.rank(), getpid(), look_at(getpid()).value_or(Look{}).start};
  Process next;
  MPI_Comm node = MPI_COMM_NULL;
  MPI_Comm_split_type(comm.raw(), MPI_COMM_TYPE_SHARED, comm.rank(), MPI_INFO_NULL, &node);
  int size = 1;
  int rank = 0;
  MPI_Comm_size(node, &size);
  MPI_Comm_rank(node, &rank);
  MPI_Sendrecv(&own, 3, MPI_INT64_T, (rank + size - 1) % size, 0, &next, 3, MPI_INT64_T, (rank + 1) % size, 0, node,
               MPI_STATUS_IGNORE);
  MPI_Comm_free(&node);
  return next;
}

/// Whether a rank that waits for another one runs meanwhile: all wait for rank 0. Collective.
bool waits_awake(const Communicator& comm) {
  constexpr std::int64_t most_switches_asleep = 5;
  constexpr std::int64_t least_microseconds_awake = 5000;
  const auto usage = [] {
    struct rusage now {};
    getrusage(RUSAGE_THREAD, &now);
    return std::pair(
        (now.ru_utime.tv_sec + now.ru_stime.tv_sec) * 1'000'000 + now.ru_utime.tv_usec + now.ru_stime.tv_usec,
        now.ru_nvcsw + now.ru_nivcsw);
  };
  MPI_Barrier(comm.raw());
  const auto before = usage();
  if (comm.rank() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  MPI_Barrier(comm.raw());
  const auto after = usage();
  const bool awake =
      after.first - before.first >= least_microseconds_awake || after.second - before.second > most_switches_asleep;
  return max(comm, std::int64_t{comm.rank() != 0 && awake}) != 0;
}

struct Watching {
  Process other;
  std::int64_t limit = 0;
  bool sleep_counts = false;
};

/// What is wrong with a process that stands still between two looks a second apart, and for how many seconds at most.
struct Stall {
  const char* what = nullptr;
  std::int64_t limit = 0;
};

Stall stall(const Watching& watching, const std::optional<Look>& before, const std::optional<Look>& now) {
  constexpr std::int64_t patience = 20;  // for what never happens in a job that will go on
  constexpr std::int64_t ticks_of_a_watch = 1;
  const std::int64_t soon = std::min(watching.limit, patience);
  if (!now || now->start != watching.other.start || now->state == 'Z' || now->state == 'X') return {"gone", soon};
  if (now->state == 'T') return {"stopped", soon};
  const bool asleep = now->state == 'S' || now->state == 'D';
  if (watching.sleep_counts && asleep && before && now->switches == before->switches &&
      now->ticks - before->ticks <= ticks_of_a_watch) {
    return {now->state == 'D' ? "held up by a disk or file system" : "asleep", watching.limit};
  }
  return {};
}

void watch(const std::stop_token& stop, const Watching& watching) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  std::optional<Look> before;
  std::int64_t seconds = 0;
  while (!wake.wait_for(lock, stop, std::chrono::seconds(1), [&] { return stop.stop_requested(); })) {
    const std::optional<Look> now = look_at(watching.other.id);
    const Stall found = stall(watching, before, now);
    seconds = found.what == nullptr ? 0 : seconds + 1;
    before = now;
    if (found.what == nullptr || seconds < found.limit) continue;
    std::array<char, 256> host{};
    gethostname(host.data(), host.size() - 1);
    abort_job(ExitCode::internal,
              fmt::format("rank {} (process {} on {}): {} for {} s while others wait for it; --stall-limit 0 would let "
                          "them wait for ever",
                          watching.other.rank, watching.other.id, host.data(), found.what, seconds));
  }
}

/// A thread that takes no signals: they are for the main thread.
std::jthread quiet_thread(const Watching& watching) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::jthread thread(watch, watching);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

StallWatch::StallWatch(const Communicator& comm, std::int64_t limit) {
  if (limit == 0 || comm.size() == 1) return;
  const Watching watching{next_on_node(comm), limit, waits_awake(comm)};
  // In a container of its own another rank's process may be out of sight.
  const std::optional<Look> first = look_at(watching.other.id);
  if (first && first->start == watching.other.start) thread_ = quiet_thread(watching);
}

}  // namespace stepwise
