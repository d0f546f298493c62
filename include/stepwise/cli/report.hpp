#pragma once

#include <functional>
#include <string>
#include <vector>

#include "stepwise/core/timing.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// What a person at the terminal sees: progress of stages on standard error, and at the end their times. Rank 0 writes,
/// but every member is collective. On a terminal a running stage shows a line with percentage and time left; elsewhere
/// (a log file) it is a line when it ends.
class Report {
 public:
  explicit Report(const Communicator& comm);
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;
  /// Leaves a clean line where an exception ended a stage.
  ~Report();

  /// Runs `work` as a stage called `name`. Its argument takes the fraction done, as often as it likes; `flops` is what
  /// the stage stands for, over all ranks. Returns what `work` returns.
  template <class Work>
  auto stage(const std::string& name, double flops, Work&& work) {
    begin(name);
    if constexpr (std::is_void_v<std::invoke_result_t<Work, const std::function<void(double)>&>>) {
      work(progress_);
      end(flops);
    } else {
      auto result = work(progress_);
      end(flops);
      return result;
    }
  }

  /// Replaces the last stage by the parts it was made of, with this rank's times. Collective.
  void split_last(const std::vector<StageTime>& parts);

  /// Replaces all stages from number `first` on by one called `name`. Collective.
  void merge_from(std::size_t first, const std::string& name);

  /// A line for the user to read, on standard error. Call on all ranks with the same text.
  void note(const std::string& text);

  [[nodiscard]] const std::vector<StageTime>& stages() const noexcept { return stages_; }
  /// Stage | seconds | share | GFLOP/s, then the total, and the memory high-water mark. Collective; text on rank 0.
  [[nodiscard]] std::string timing_table() const;

 private:
  void begin(const std::string& name);
  void end(double flops);
  void show(double fraction);

  const Communicator& comm_;
  bool terminal_ = false;
  std::string name_;  // of the running stage
  Stopwatch total_;
  Stopwatch stage_;
  double last_shown_ = 0;
  std::vector<StageTime> stages_;
  std::function<void(double)> progress_;
};

}  // namespace stepwise
