#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "stepwise/cli/options.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

// A directory in which a run keeps its work for the next one holds, in settings.ini, what that work depends on: only
// the same problem may go on from it.

/// The options that `matters` says yes to, as a configuration file.
[[nodiscard]] std::string settings_text(const std::vector<Option>& options,
                                        const std::function<bool(const std::string&)>& matters);

/// Values of such a text by name, "section.key".
[[nodiscard]] std::map<std::string, std::string> settings_by_name(const std::string& text);

/// Whether work may be kept in `directory`: it is not there, empty, or has an earlier run's work, whose settings must
/// be the same. Local. @throws Error(input) naming the first setting that differs, or what else is in the directory;
/// (io).
void check_directory(const std::string& directory, const std::string& settings);

/// Makes `directory` and those above it; returns those that were not there, innermost first. Local.
std::vector<std::string> make_directories(const std::string& directory);

/// Checks `directory`, makes it and writes `settings` into it if it has no work. Returns, on rank 0, the directories
/// that were made. Collective. @throws CollectiveError as check_directory().
std::vector<std::string> claim_directory(const Communicator& comm, const std::string& directory,
                                         const std::string& settings);

/// Whether an earlier run has claimed it, and left more than its settings. Local.
[[nodiscard]] bool has_work(const std::string& directory);

/// Removes the settings, and the directory if nothing else is left in it, with those above it that were `made`. Local.
void release_directory(const std::string& directory, const std::vector<std::string>& made);

}  // namespace stepwise
