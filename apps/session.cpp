#include "session.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "stepwise/core/memory.hpp"
#include "stepwise/data/npy.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

/// Words of the command line, quoted where a shell would need it.
std::string quoted(const std::vector<std::string>& words) {
  std::string text = "stepwise";
  for (const std::string& word : words) {
    const bool plain = !word.empty() && word.find_first_of(" \t\n'\"\\$&|;<>()*?[]#~`!{}") == std::string::npos;
    text += plain ? " " + word : fmt::format(" '{}'", word);
  }
  return text;
}

/// What follows --summary-json.
std::string summary_of(const std::vector<std::string>& words) {
  const std::string option = "--summary-json";
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == option && i + 1 < words.size()) return words[i + 1];
    if (words[i].starts_with(option + "=")) return words[i].substr(option.size() + 1);
  }
  return "";
}

/// A summary replaces an older one and nothing else.
void check_summary(const std::string& name) {
  std::error_code error;
  if (fs::exists(name, error)) {
    std::ifstream file(name);
    const int first = fs::is_regular_file(name, error) ? file.peek() : 0;
    if (first == '{' || first == std::ifstream::traits_type::eof()) return;
    fail(ExitCode::input, "--summary-json {}: exists and is no summary; choose another name", name);
  }
  const std::string directory = fs::path(name).parent_path().string();
  if (access(directory.empty() ? "." : directory.c_str(), W_OK) != 0) {
    fail(ExitCode::io, "--summary-json {}: cannot be written: {}", name, std::strerror(errno));
  }
}

void write_summary(const std::string& name, const Json::Object& summary) {
  check_summary(name);
  write_whole(name, json_text(summary) + "\n");
}

std::string value_of(const Settings& settings, const std::string& name) {
  for (const auto& [key, value] : settings) {
    if (key == name) return value;
  }
  return "";
}

/// @throws Error(input) when two of the files that these settings name are one.
void check_distinct(const Settings& settings, std::initializer_list<const char*> options) {
  std::vector<std::pair<std::string, fs::path>> files;
  for (const char* option : options) {
    const std::string name = value_of(settings, option);
    if (name.empty()) continue;
    std::error_code error;
    const fs::path path = fs::weakly_canonical(name, error);
    for (const auto& [other, taken] : files) {
      if (path == taken) fail(ExitCode::input, "--{} {}: is also --{}; choose another name", option, name, other);
    }
    files.emplace_back(option, path);
  }
}

/// Changed and all.
std::pair<Settings, Settings> settings_of(const Command& command) {
  const Command untouched = find_command(command.name);
  const std::vector<Option> options = command.options();
  const std::vector<Option> defaults = untouched.options();
  Settings changed;
  Settings all;
  for (std::size_t i = 0; i < options.size(); ++i) {
    all.emplace_back(options[i].name, options[i].text());
    if (all.back().second != defaults[i].text()) changed.push_back(all.back());
  }
  return {changed, all};
}

}  // namespace

Command find_command(const std::string& word) {
  std::vector<std::string> known{"completion", "man"};
  for (Command& command : all_commands()) {
    if (command.name == word) return command;
    known.push_back(command.name);
  }
  const auto meant = nearest(word, known);
  fail(ExitCode::input, "unknown command '{}'{}; stepwise --help lists the commands", word,
       meant ? fmt::format(", did you mean stepwise {}?", *meant) : "");
}

Request parse_settings(const Command& command, const std::vector<std::string>& words) {
  auto options = command.options();
  return parse_options({words.begin() + 1, words.end()}, options);
}

Session::Session(const std::vector<std::string>& words)
    : beginning_{quoted(words), utc_now(), {}}, summary_(summary_of(words)) {}

const Command& Session::parse(const Communicator& comm, const std::vector<std::string>& words) {
  attempt(comm, [&] {
    command_ = find_command(words.front());
    (void)parse_settings(*command_, words);
    check_consistency(*command_->run_config);
    command_->check();
  });
  return *command_;
}

Report& Session::begin(const Communicator& comm) {
  const auto [changed, all] = settings_of(*command_);
  attempt_on_root(comm, [&] { check_distinct(all, {"output", "log-file"}); });
  summary_refused_ = true;
  attempt_on_root(comm, [&] {
    check_distinct(all, {"output", "log-file", "summary-json"});
    if (!summary_name().empty()) check_summary(summary_name());
  });
  summary_refused_ = false;
  Placement placement = find_placement(comm);
  if (command_->run_config->benchmark) placement.dgemm = spread_of(comm, measure_dgemm(comm));
  report_.emplace(comm, command_->run_config->log, RunInfo{beginning_.command, changed, all, std::move(placement)});
  return *report_;
}

std::string Session::summary_name() const {
  return summary_.empty() && command_ ? command_->run_config->summary : summary_;
}

bool Session::log_end(const Ending& ending) {
  if (!report_) return false;
  LogEvent event{LogLevel::error,
                 "end",
                 ending.message,
                 report_->running(),
                 {{"exit_code", static_cast<int>(ending.code)}, {"seconds", report_->seconds()}}};
  if (ending.code == ExitCode::stopped) {
    event.level = LogLevel::warning;
    event.event = "stop";
  }
  if (ending.code == ExitCode::done) {
    if (!report_->log().is_record()) return true;
    event.level = LogLevel::info;
    event.text = fmt::format("done in {}", duration_text(report_->seconds()));
  }
  ending.together ? report_->log().write(event) : report_->log().last_words(event);
  return true;
}

bool Session::end(const Communicator& comm, const Ending& ending) {
  const bool told = log_end(ending);
  const std::string name = summary_name();
  if (name.empty() || summary_refused_) return told;
  const auto peak = static_cast<double>(peak_memory());
  const Spread memory = ending.together ? spread_of(comm, peak) : Spread{peak, peak, peak, comm.rank()};
  const auto write = [&] {
    write_summary(name, summary_json(beginning_, ending, report_ ? &*report_ : nullptr, memory));
  };
  if (ending.code == ExitCode::done) {
    attempt_on_root(comm, write);
  } else if (!ending.together || comm.rank() == 0) {
    try {
      write();
    } catch (const std::exception& error) {
      if (report_) report_->log().last_words({LogLevel::warning, "warning", error.what()});
    }
  }
  return told;
}

}  // namespace stepwise
