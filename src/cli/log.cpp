#include "stepwise/cli/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>

#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

constexpr std::array<const char*, 4> level_names{"error", "warning", "info", "debug"};
constexpr const char* clean_line = "\r\033[K";

const char* name_of(LogLevel level) {
  return level_names[static_cast<std::size_t>(level)];
}

LogLevel level_of(const std::string& name) {
  for (std::size_t i = 0; i < level_names.size(); ++i) {
    if (name == level_names[i]) return static_cast<LogLevel>(i);
  }
  return LogLevel::info;
}

/// Logs are appended to, and must not be appended to data or results.
void refuse_binary(std::FILE* file, const std::string& name) {
  struct stat status {};
  if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)) return;
  std::array<char, 512> start{};
  const std::size_t length = std::fread(start.data(), 1, start.size(), file);
  if (std::string_view(start.data(), length).find('\0') == std::string_view::npos) return;
  fail(ExitCode::input, "--log-file {}: exists and is not a text file; choose another name", name);
}

std::string for_people(const LogEvent& event) {
  if (event.event == "stop") return "stepwise: stopped " + event.text;
  if (event.level == LogLevel::error || event.level == LogLevel::warning) {
    return fmt::format("stepwise: {}: {}", name_of(event.level), event.text);
  }
  return event.event == "note" ? "stepwise: " + event.text : event.text;
}

std::string for_programs(const LogEvent& event) {
  Json::Object line{{"time", utc_now(true)}, {"level", name_of(event.level)}, {"event", event.event}};
  line.emplace_back("stage", event.stage.empty() ? Json() : Json(event.stage));
  line.emplace_back("message", event.text);
  line.emplace_back("fields", event.fields);
  return json_text(line);
}

}  // namespace

std::string utc_now(bool milliseconds) {
  const auto now = std::chrono::system_clock::now();
  const auto seconds = std::chrono::time_point_cast<std::chrono::seconds>(now);
  const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(now - seconds).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}{}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     milliseconds ? fmt::format(".{:03}", rest) : "");
}

Log::Log(const Communicator& comm, const LogSettings& settings)
    : level_(level_of(settings.level)),
      json_(settings.format == "json"),
      speaks_(comm.rank() == 0),
      name_(settings.file) {
  const bool quiet = level_ < LogLevel::info || (json_ && name_.empty());
  terminal_ = speaks_ && !quiet && isatty(STDERR_FILENO) != 0;
  if (name_.empty()) return;
  attempt_on_root(comm, [&] {
    file_.reset(std::fopen(name_.c_str(), "ae"));
    if (!file_) {
      fail(ExitCode::io, "--log-file {}: cannot be opened for writing: {}", name_, std::strerror(errno));
    }
    const std::unique_ptr<std::FILE, Close> reader(std::fopen(name_.c_str(), "re"));
    if (reader) refuse_binary(reader.get(), name_);
  });
}

void Log::write(const LogEvent& event) {
  if (speaks_) tell(event);
}

void Log::last_words(const LogEvent& event) {
  if (!name_.empty() && !file_) file_.reset(std::fopen(name_.c_str(), "ae"));
  tell(event);
}

void Log::tell(const LogEvent& event) {
  if (event.level > level_) return;
  clear();
  if (!file_) {
    fmt::print(stderr, "{}\n", json_ ? for_programs(event) : for_people(event));
    std::fflush(stderr);
    return;
  }
  if (event.level <= LogLevel::warning) fmt::print(stderr, "{}\n", for_people(event));
  tell_file(json_ ? for_programs(event) : fmt::format("{} {:<7} {}", utc_now(), name_of(event.level), event.text));
}

void Log::tell_file(const std::string& line) {
  if (std::fwrite((line + '\n').data(), 1, line.size() + 1, file_.get()) == line.size() + 1 &&
      std::fflush(file_.get()) == 0) {
    return;
  }
  const int reason = errno;
  file_.reset();  // a run is worth more than its log
  fmt::print(stderr, "stepwise: warning: --log-file {}: cannot be written: {}; going on with standard error\n", name_,
             std::strerror(reason));
}

void Log::progress(const std::string& text) {
  if (!terminal_) return;
  fmt::print(stderr, "{}{}", clean_line, text);
  std::fflush(stderr);
  progress_ = true;
}

void Log::clear() {
  if (progress_) fmt::print(stderr, "{}", clean_line);
  progress_ = false;
}

}  // namespace stepwise
