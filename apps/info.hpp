#pragma once

#include <string>
#include <vector>

#include "run_config.hpp"
#include "stepwise/cli/options.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// Every setting of `stepwise info`.
struct InfoConfig {
  std::string file;  ///< empty: about the program and the machine
  bool settings = false;
};

/// The options bound to `config`, which must outlive them.
[[nodiscard]] std::vector<Option> info_options(InfoConfig& config);

/// Prints what the program is made of and where it runs, or what is in a file and how it was made. Collective.
void print_info(const Communicator& comm, const InfoConfig& config, const Report& report);

}  // namespace stepwise
