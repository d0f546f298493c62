#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "stepwise/cli/json.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

enum class LogLevel { error, warning, info, debug };

struct LogSettings {
  std::string level = "info";   ///< error, warning, info or debug: the least important events that are told
  std::string file;             ///< empty: standard error
  std::string format = "text";  ///< text or json, one event a line
};

/// Something that happened.
struct LogEvent {
  LogLevel level = LogLevel::info;
  std::string event;         ///< its kind, one word: start, note, warning, stage, timing, stop, end
  std::string text;          ///< for people; may have several lines
  std::string stage = {};    ///< during which; empty: between stages
  Json::Object fields = {};  ///< for programs
};

/// Where events go: to standard error, or to a file, and then standard error gets warnings and errors only. Rank 0
/// writes. On a terminal there is a line that shows progress, which events replace.
class Log {
 public:
  /// Collective. @throws CollectiveError(io) when the file cannot be opened, (input) when it is something else.
  Log(const Communicator& comm, const LogSettings& settings);

  /// Rank 0 tells it. Local.
  void write(const LogEvent& event);
  /// The rank that calls this tells it: why it ends the job, alone. Local.
  void last_words(const LogEvent& event);
  /// Shows `text` as the line of progress; does nothing where there is no terminal. Local.
  void progress(const std::string& text);
  /// Removes that line.
  void clear();
  /// What it writes is a record, not only what a terminal shows.
  [[nodiscard]] bool is_record() const noexcept { return json_ || !name_.empty(); }

 private:
  void tell(const LogEvent& event);
  void tell_file(const std::string& line);

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  LogLevel level_ = LogLevel::info;
  bool json_ = false;
  bool speaks_ = false;    // rank 0 does
  bool terminal_ = false;  // standard error is one, and shows progress
  bool progress_ = false;  // a line of it stands there
  std::string name_;       // of the file
  std::unique_ptr<std::FILE, Close> file_;
};

/// Now, UTC, "2026-11-22T18:00:00Z"; with milliseconds "2026-11-22T18:00:00.123Z".
[[nodiscard]] std::string utc_now(bool milliseconds = false);

}  // namespace stepwise
