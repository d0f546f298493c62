#pragma once

#include <string>

#include "probe_config.hpp"
#include "run_config.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// How well the labels can be read off the embeddings of a result file, by number of modes and by training time.
/// Collective. `command` is the command line, for the record.
void probe_model(const Communicator& comm, const ProbeConfig& config, const RunConfig& run, const std::string& command,
                 Report& report);

}  // namespace stepwise
