#include "kept_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "stepwise/data/npy.hpp"
#include "stepwise/data/tile_name.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

std::string path_in(const std::string& directory) {
  return fmt::format("{}/settings.ini", directory);
}

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void refuse_other_settings(const std::string& directory, const std::string& settings) {
  const std::string path = path_in(directory);
  const std::string there = text_of(path);
  if (there == settings) return;
  if (settings.starts_with(there)) {
    fail(ExitCode::input, "{}: is damaged: it ends after {} bytes; remove {} to begin anew", path, there.size(),
         directory);
  }
  const auto before = settings_by_name(there);
  const std::string advice = fmt::format("give the same settings to go on, or remove {} to begin anew", directory);
  constexpr const char* inputs = "inputs_checksum";  // differs with many settings, which are then what to name
  for (const auto& [name, value] : settings_by_name(settings)) {
    if (name == inputs) continue;
    const auto found = before.find(name);
    const std::string old = found == before.end() ? "missing" : fmt::format("'{}'", found->second);
    if (found == before.end() || found->second != value) {
      fail(ExitCode::input, "{}: was made with other settings: {} is {} there and '{}' now; {}", path, name, old, value,
           advice);
    }
  }
  if (before.contains(inputs) && before.at(inputs) != settings_by_name(settings)[inputs]) {
    fail(ExitCode::input, "{}: was made of other samples: the data have changed since; {}", path, advice);
  }
  fail(ExitCode::input, "{}: was made with other settings; {}", path, advice);
}

}  // namespace

std::string settings_text(const std::vector<Option>& options, const std::function<bool(const std::string&)>& matters) {
  std::vector<Option> chosen;
  std::copy_if(options.begin(), options.end(), std::back_inserter(chosen),
               [&](const Option& option) { return matters(option.name); });
  return config_text(chosen);
}

std::map<std::string, std::string> settings_by_name(const std::string& text) {
  std::map<std::string, std::string> settings;
  std::istringstream in(text);
  std::string section;
  for (std::string line; std::getline(in, line);) {
    const auto equals = line.find(" =");
    if (line.starts_with('[')) section = line.substr(1, line.find(']') - 1) + ".";
    if (line.starts_with('[') || equals == std::string::npos) continue;
    const std::size_t begin = line.starts_with("# ") ? 2 : 0;
    settings[section + line.substr(begin, equals - begin)] = line.substr(std::min(line.size(), equals + 3));
  }
  return settings;
}

void check_directory(const std::string& directory, const std::string& settings) {
  std::error_code error;
  if (!fs::exists(directory, error)) return;
  if (!fs::is_directory(directory, error)) {
    fail(ExitCode::io, "{}: cannot be made a directory to keep work in: something else is there", directory);
  }
  if (has_work(directory)) return refuse_other_settings(directory, settings);
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (is_left_over(name) || entry.path() == path_in(directory)) continue;
    fail(ExitCode::input,
         "{}: is no directory of this program's: it has no settings.ini of an earlier run, but {}; "
         "choose another one",
         directory, name);
  }
}

std::vector<std::string> make_directories(const std::string& directory) {
  std::vector<std::string> made;
  std::error_code error;
  for (fs::path path = fs::absolute(directory, error); path.has_relative_path() && !fs::exists(path, error);
       path = path.parent_path()) {
    made.push_back(path.string());
  }
  fs::create_directories(directory, error);
  return made;
}

std::vector<std::string> claim_directory(const Communicator& comm, const std::string& directory,
                                         const std::string& settings) {
  std::vector<std::string> made;
  attempt_on_root(comm, [&] {
    check_directory(directory, settings);
    made = make_directories(directory);
    std::error_code error;
    fs::create_directories(directory, error);
    if (error) {
      fail(ExitCode::io, "{}: cannot be made a directory to keep work in: {}", directory, error.message());
    }
    if (!has_work(directory)) write_whole(path_in(directory), settings);
  });
  return made;
}

bool has_work(const std::string& directory) {
  std::error_code error;
  if (!fs::exists(path_in(directory), error)) return false;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.path() != path_in(directory) && !is_left_over(entry.path().filename().string())) return true;
  }
  return false;
}

void release_directory(const std::string& directory, const std::vector<std::string>& made) {
  std::error_code ignored;
  fs::remove(path_in(directory), ignored);
  fs::remove(directory, ignored);
  for (const std::string& path : made) fs::remove(path, ignored);
}

}  // namespace stepwise
