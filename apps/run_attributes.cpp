#include "run_attributes.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <omp.h>

#include <chrono>

#include "stepwise/cli/provenance.hpp"

namespace stepwise {

Attributes run_attributes(const Communicator& comm, const RunRecord& record) {
  Attributes attributes{{"schema_name", record.schema}, {"schema_version", "1.0"}};
  for (auto& attribute : build_attributes()) attributes.push_back(std::move(attribute));
  const auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  attributes.insert(
      attributes.end(),
      {{"created", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(now)))},
       {"command_line", record.command},
       {"configuration", record.configuration},
       {"seed", record.seed},
       {"ranks", std::int64_t{comm.size()}},
       {"threads_per_rank", std::int64_t{omp_get_max_threads()}}});
  return attributes;
}

}  // namespace stepwise
