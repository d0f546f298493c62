#include "stepwise/cli/time_limit.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <memory>
#include <string_view>

#include "stepwise/core/error.hpp"
#include "stepwise/core/stop.hpp"

namespace stepwise {
namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr std::array stopping{SIGUSR1, SIGTERM, SIGINT};
constexpr double same_signal_seconds = 2;

std::atomic<int> first_signal = 0;
std::atomic<double> first_time = 0;

/// Async-signal-safe.
double now() noexcept {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

void on_signal(int number) {
  int none = 0;
  if (first_signal.compare_exchange_strong(none, number)) {
    first_time = now();
    request_stop();
    return;
  }
  const bool again = first_signal == number && now() - first_time > same_signal_seconds;
  if (again && (number == SIGUSR1 || number == SIGINT)) {
    constexpr std::string_view text = "stepwise: stopped at once by a second signal; files are as they were\n";
    (void)!write(STDERR_FILENO, text.data(), text.size());
    _exit(static_cast<int>(ExitCode::stopped));
  }
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(number, &action, nullptr);
}

/// All of `text` as a whole number, not negative.
std::optional<long> whole(std::string_view text) {
  long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace

std::optional<double> parse_duration(const std::string& text) {
  std::string_view rest = text;
  double seconds = 0;
  const auto dash = rest.find('-');
  if (dash != std::string_view::npos) {
    const auto days = whole(rest.substr(0, dash));
    if (!days) return std::nullopt;
    seconds = 86400.0 * static_cast<double>(*days);
    rest.remove_prefix(dash + 1);
  }
  std::array<double, 3> parts{};
  std::size_t count = 0;
  while (count < parts.size()) {
    const auto colon = rest.find(':');
    const auto part = whole(rest.substr(0, colon));
    if (!part || (count > 0 && *part >= 60)) return std::nullopt;
    parts[count++] = static_cast<double>(*part);
    if (colon == std::string_view::npos) {
      rest = {};
      break;
    }
    rest.remove_prefix(colon + 1);
  }
  if (!rest.empty() || count < 2 || (dash != std::string_view::npos && count < 3)) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i) seconds += parts[i] * std::pow(60.0, static_cast<double>(count - 1 - i));
  return seconds;
}

std::optional<double> slurm_seconds_left() {
  const char* job = std::getenv("SLURM_JOB_ID");
  if (job == nullptr || !whole(job)) return std::nullopt;
  if (const char* end = std::getenv("SLURM_JOB_END_TIME"); end != nullptr) {
    if (const auto seconds = whole(end)) return static_cast<double>(*seconds) - static_cast<double>(std::time(nullptr));
  }
  const std::string command = fmt::format("timeout 10 squeue -h -j {} -o %L 2>/dev/null", job);
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::array<char, 64> line{};
  if (!pipe || std::fgets(line.data(), line.size(), pipe.get()) == nullptr) return std::nullopt;
  std::string text(line.data());
  text.erase(text.find_last_not_of(" \n") + 1);
  return parse_duration(text);  // UNLIMITED is none
}

void hold_signals() {
  handle(SIGUSR1, on_signal);
}

TimeLimit::TimeLimit(const Communicator& comm, std::optional<double> seconds) {
  std::array<double, 1> left{seconds.value_or(infinite)};
  broadcast(comm, left);
  end_ = now() + left[0];
  // Enough to finish what one thread is at and to write; of a short limit not all of it.
  reserve_ = std::clamp(left[0] / 20, std::min(5.0, left[0] / 2), 120.0);
  for (const int number : stopping) handle(number, on_signal);
  handle(SIGALRM, on_signal);
  arm();
}

TimeLimit::~TimeLimit() {
  const itimerval never{};
  setitimer(ITIMER_REAL, &never, nullptr);
  for (const int number : stopping) handle(number, number == SIGUSR1 ? SIG_IGN : SIG_DFL);
  first_signal = 0;
  handle(SIGALRM, SIG_DFL);
}

void TimeLimit::arm() const {
  if (std::isinf(end_)) return;
  const double wait = std::max(end_ - reserve_ - now(), 1e-3);
  itimerval timer{};
  timer.it_value.tv_sec = static_cast<time_t>(wait);
  timer.it_value.tv_usec = static_cast<suseconds_t>(1e6 * (wait - std::floor(wait)));
  setitimer(ITIMER_REAL, &timer, nullptr);
}

double TimeLimit::seconds_left() const {
  return end_ - now();
}

void TimeLimit::keep_free(double seconds) {
  if (seconds <= reserve_) return;
  reserve_ = seconds;
  arm();
}

void TimeLimit::give_up() const {
  on_signal(SIGALRM);
}

std::string TimeLimit::cause() const {
  switch (first_signal.load()) {
    case SIGUSR1:
      return "signal SIGUSR1";
    case SIGTERM:
      return "signal SIGTERM";
    case SIGINT:
      return "signal SIGINT";
    case SIGALRM:
      return "the end of the wall time";
    default:
      return "another rank";
  }
}

}  // namespace stepwise
