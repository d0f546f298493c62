#pragma once

#include <string>

#include "embed_config.hpp"
#include "run_config.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// Embeddings of new samples with the kernel and the modes of a result file, in turns: their number does not matter for
/// the memory. Collective. `command` is the command line, for the record.
void embed_samples(const Communicator& comm, EmbedConfig config, const RunConfig& run, const std::string& command,
                   Report& report);

}  // namespace stepwise
