#pragma once

#include <string>

#include "stepwise/cli/help.hpp"

namespace stepwise {

/// The manual page stepwise(1) in troff with the macros of man(7). `version` stands at its foot.
[[nodiscard]] std::string man_page(const ProgramText& program, const std::string& version);

}  // namespace stepwise
