#pragma once

#include <cstdint>
#include <string>

#include "stepwise/cli/report.hpp"
#include "stepwise/dist/communicator.hpp"
#include "stepwise/io/result_file.hpp"

namespace stepwise {

/// How a run came to its file, for those that read it.
struct RunRecord {
  std::string schema;  ///< schema_name
  std::string command;
  std::string configuration;  ///< with every "auto" resolved
  std::int64_t seed = 0;
};

/// The attributes that all files of the program begin with: schema, program and libraries, time, command, settings,
/// ranks and threads. Local.
[[nodiscard]] Attributes run_attributes(const Communicator& comm, const RunRecord& record);

/// The group /performance: times of the stages so far, memory, DGEMM. Collective. @throws CollectiveError(io).
void write_performance(ResultFile& file, const Communicator& comm, const Report& report);

}  // namespace stepwise
