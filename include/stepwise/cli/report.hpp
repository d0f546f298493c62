#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stepwise/cli/log.hpp"
#include "stepwise/cli/placement.hpp"
#include "stepwise/cli/stage_table.hpp"
#include "stepwise/core/timing.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

using Settings = std::vector<std::pair<std::string, std::string>>;  // name, value

/// What a run is told, and where it runs.
struct RunInfo {
  std::string command;  ///< the command line
  Settings changed;     ///< settings that differ from their defaults
  Settings all;
  Placement placement;
};

/// What is known only when the problem is posed. Empty text, nothing: not a part of this command.
struct Work {
  std::string problem;  ///< in a few words: method and size
  std::string kernel = {};
  std::optional<GridShape> grid = {};
  std::int64_t block = 0;
  bool direct = false;  ///< a method that works on the grid
};

/// What a person at the terminal and the log see: progress of stages, notes, warnings, and at the end their times. Rank
/// 0 writes, but every member is collective unless it says otherwise. On a terminal a running stage shows a line with
/// percentage and time left; a stage is an event when it ends.
class Report {
 public:
  explicit Report(const Communicator& comm, const LogSettings& settings = {}, RunInfo info = {});
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;
  /// Leaves a clean line where an exception ended a stage.
  ~Report();

  /// The header of the log, and what to be warned of. Once, when it is clear that there is work to do.
  void start(const Work& work);

  /// Runs `work` as a stage called `name`. Its argument takes the fraction done, as often as it likes; `flops` is what
  /// the stage stands for, over all ranks. Returns what `work` returns.
  template <class Function>
  auto stage(const std::string& name, double flops, Function&& work) {
    begin(name);
    if constexpr (std::is_void_v<std::invoke_result_t<Function, const std::function<void(double)>&>>) {
      work(progress_);
      end(flops);
    } else {
      auto result = work(progress_);
      end(flops);
      return result;
    }
  }

  /// The last stage has read or written so many bytes, over all ranks. Local.
  void moved(double bytes);

  /// Replaces the last stage by the parts it was made of, with this rank's times.
  void split_last(const std::vector<StageTime>& parts);

  /// Replaces all stages from number `first` on by one called `name`. Local.
  void merge_from(std::size_t first, const std::string& name);

  /// A line for the user to read. Call on all ranks with the same text. Local.
  void note(const std::string& text);
  void warn(const std::string& text);

  /// A result for the summary: a file's name, a residual. Local.
  void result(const std::string& name, Json value);

  [[nodiscard]] const std::vector<StageRow>& stages() const noexcept { return stages_; }
  [[nodiscard]] const RunInfo& info() const noexcept { return info_; }
  [[nodiscard]] const Json::Object& results() const noexcept { return results_; }
  [[nodiscard]] const std::string& running() const noexcept { return name_; }
  [[nodiscard]] double seconds() const { return total_.seconds(); }
  [[nodiscard]] Log& log() noexcept { return log_; }
  /// FLOP/s of DGEMM on all ranks together, where it was measured.
  [[nodiscard]] std::optional<double> dgemm_rate() const;

  /// stage_table and the memory high-water mark, also for the log. Text on rank 0.
  [[nodiscard]] std::string timing_table();

 private:
  void begin(const std::string& name);
  void end(double flops);
  void show(double fraction);
  void header(const Work& work);

  const Communicator& comm_;
  Log log_;
  RunInfo info_;
  std::string name_;  // of the running stage
  Stopwatch total_;
  Stopwatch stage_;
  double last_shown_ = 0;
  std::vector<StageRow> stages_;
  Json::Object results_;
  std::function<void(double)> progress_;
};

}  // namespace stepwise
