#include "stepwise/cli/report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "stepwise/core/memory.hpp"

namespace stepwise {
namespace {

std::string duration(double seconds) {
  const auto whole = static_cast<long>(seconds);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h", whole / 3600, whole / 60 % 60);
}

}  // namespace

Report::Report(const Communicator& comm)
    : comm_(comm),
      terminal_(comm.rank() == 0 && isatty(STDERR_FILENO) != 0),
      progress_([this](double f) { show(f); }) {}

Report::~Report() {
  if (terminal_ && !name_.empty()) fmt::print(stderr, "\r\033[K");
}

void Report::begin(const std::string& name) {
  name_ = name;
  stage_ = Stopwatch();
  last_shown_ = 0;
  if (terminal_) fmt::print(stderr, "\r\033[K{} ...", name_);
}

void Report::show(double fraction) {
  const double seconds = stage_.seconds();
  if (!terminal_ || seconds - last_shown_ < 0.2 || fraction <= 0) return;
  last_shown_ = seconds;
  fmt::print(stderr, "\r\033[K{} ... {:.0f} %, {} left", name_, 100 * fraction, duration(seconds / fraction - seconds));
  std::fflush(stderr);
}

void Report::end(double flops) {
  const double seconds = max(comm_, stage_.seconds());
  stages_.push_back({name_, seconds, flops});
  if (comm_.rank() == 0) fmt::print(stderr, "{}{}: {}\n", terminal_ ? "\r\033[K" : "", name_, duration(seconds));
  name_.clear();
}

void Report::split_last(const std::vector<StageTime>& parts) {
  stages_.pop_back();
  for (const StageTime& part : parts) stages_.push_back({part.name, max(comm_, part.seconds), part.flops});
}

void Report::merge_from(std::size_t first, const std::string& name) {
  StageTime whole{name, 0, 0};
  for (std::size_t i = first; i < stages_.size(); ++i) whole.seconds += stages_[i].seconds;
  stages_.resize(first);
  stages_.push_back(std::move(whole));
}

void Report::note(const std::string& text) {
  if (comm_.rank() == 0) fmt::print(stderr, "{}stepwise: {}\n", terminal_ ? "\r\033[K" : "", text);
}

std::string Report::timing_table() const {
  const double total = max(comm_, total_.seconds());
  const auto peak = static_cast<double>(peak_memory());
  const double highest = max(comm_, peak);
  const double together = sum(comm_, peak);
  std::string text = fmt::format("{:<28}{:>10}{:>8}{:>10}\n", "stage", "seconds", "%", "GFLOP/s");
  double listed = 0;
  const auto row = [&](const std::string& name, double seconds, const std::string& rate) {
    text += fmt::format("{:<28}{:>10.3f}{:>8.1f}{}\n", name, seconds, 100 * seconds / total, rate);
  };
  for (const StageTime& stage : stages_) {
    listed += stage.seconds;
    row(stage.name, stage.seconds, stage.flops > 0 ? fmt::format("{:>10.1f}", stage.flops / stage.seconds / 1e9) : "");
  }
  row("other", std::max(0.0, total - listed), "");
  row("total", total, "");
  text += fmt::format("peak memory {} on one rank, {} on all {}\n", format_bytes(highest), format_bytes(together),
                      comm_.size());
  return text;
}

}  // namespace stepwise
