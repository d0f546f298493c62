#pragma once

#include <optional>
#include <string>
#include <vector>

#include "command.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/cli/run_main.hpp"
#include "stepwise/cli/summary.hpp"

namespace stepwise {

/// One run of the program from its command line to its end: the report that its command writes to, and the summary.
class Session {
 public:
  /// `words`: those of the command line behind the program's name. Local.
  explicit Session(const std::vector<std::string>& words);

  /// Finds the command, stores its settings and checks them. Collective. @throws CollectiveError(input).
  [[nodiscard]] const Command& parse(const Communicator& comm, const std::vector<std::string>& words);

  /// Opens the log, and measures what --benchmark asks for; choose_threads comes before. Collective.
  /// @throws CollectiveError(io) when log or summary cannot be written, (input) when something else is in their way.
  [[nodiscard]] Report& begin(const Communicator& comm);

  /// What run_main calls at the end: the last event of the log, and the summary.
  [[nodiscard]] bool end(const Communicator& comm, const Ending& ending);

  [[nodiscard]] const std::string& command_line() const noexcept { return beginning_.command; }

 private:
  [[nodiscard]] std::string summary_name() const;
  [[nodiscard]] bool log_end(const Ending& ending);

  Beginning beginning_;
  std::string summary_;  // as the command line says, even one that is refused
  bool summary_refused_ = false;
  std::optional<Command> command_;
  std::optional<Report> report_;
};

/// The command that `word` names. @throws Error(input) with the nearest one.
[[nodiscard]] Command find_command(const std::string& word);

/// Stores the settings behind the command's name. @throws Error(input).
Request parse_settings(const Command& command, const std::vector<std::string>& words);

}  // namespace stepwise
