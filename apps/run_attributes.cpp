#include "run_attributes.hpp"

#include <omp.h>

#include "stepwise/cli/provenance.hpp"
#include "stepwise/core/memory.hpp"

namespace stepwise {

Attributes run_attributes(const Communicator& comm, const RunRecord& record) {
  Attributes attributes{{"schema_name", record.schema}, {"schema_version", "1.1"}};
  for (auto& attribute : build_attributes()) attributes.push_back(std::move(attribute));
  attributes.insert(attributes.end(), {{"created", utc_now()},
                                       {"command_line", record.command},
                                       {"configuration", record.configuration},
                                       {"seed", record.seed},
                                       {"ranks", std::int64_t{comm.size()}},
                                       {"threads_per_rank", std::int64_t{omp_get_max_threads()}}});
  return attributes;
}

void write_performance(ResultFile& file, const Communicator& comm, const Report& report) {
  const std::vector<StageRow>& stages = report.stages();
  std::vector<std::string> names;
  for (const StageRow& stage : stages) names.push_back(stage.name);
  file.write_names({"/performance/stage", "1", "part of the run, in the order they were done", {}}, "stage", names);
  const auto column = [&](const char* name, const char* units, const char* description, const auto& number) {
    std::vector<double> numbers;
    for (const StageRow& stage : stages) numbers.push_back(number(stage));
    file.write({std::string("/performance/") + name, units, description, {"/performance/stage"}}, {stages.size()},
               numbers);
  };
  const auto seconds = [&](const char* name, const char* description, double Spread::*part) {
    column(name, "s", description, [part](const StageRow& stage) { return stage.seconds.*part; });
  };
  seconds("seconds_min", "wall time on the fastest rank", &Spread::least);
  seconds("seconds_mean", "wall time, mean over ranks", &Spread::mean);
  seconds("seconds_max", "wall time on the slowest rank", &Spread::most);
  column("flops", "1", "floating-point operations over all ranks, 0 where not counted",
         [](const StageRow& stage) { return stage.flops; });
  column("bytes", "byte", "bytes read or written over all ranks, 0 where not counted",
         [](const StageRow& stage) { return stage.bytes; });
  const Spread peak = spread_of(comm, static_cast<double>(peak_memory()));
  Attributes attributes{{"peak_memory_min", peak.least},
                        {"peak_memory_mean", peak.mean},
                        {"peak_memory_max", peak.most},
                        {"peak_memory_rank", std::int64_t{peak.where}}};
  if (const auto rate = report.dgemm_rate()) attributes.emplace_back("dgemm_flops_per_second", *rate);
  file.attributes("/performance", attributes);
}

}  // namespace stepwise
