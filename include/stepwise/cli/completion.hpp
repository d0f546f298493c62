#pragma once

#include <string>

#include "stepwise/cli/help.hpp"

namespace stepwise {

// Scripts that make a shell complete commands, options and values: words of the options, files where the metavar is
// FILE or PATH, directories where it is DIR.

/// To be sourced, or kept as share/bash-completion/completions/stepwise. Bash 4.
[[nodiscard]] std::string bash_completion(const ProgramText& program);

/// To be kept as _stepwise in a directory of $fpath.
[[nodiscard]] std::string zsh_completion(const ProgramText& program);

}  // namespace stepwise
