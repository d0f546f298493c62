#pragma once

#include <string>

#include "matrix_config.hpp"
#include "run_config.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// Positive pairs -> kernel matrix -> one HDF5 file, by way of tiles that a run which is killed leaves for the next.
/// Collective. `command` is the command line, for the record.
void compute_kernel(const Communicator& comm, KernelConfig config, const RunConfig& run, const std::string& command,
                    Report& report);

}  // namespace stepwise
