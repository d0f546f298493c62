#include "stepwise/cli/summary.hpp"

#include <algorithm>

#include "stepwise/cli/provenance.hpp"

namespace stepwise {
namespace {

Json json_of(const AttributeValue& value) {
  return std::visit([](const auto& v) { return Json(v); }, value);
}

const char* status_of(ExitCode code) {
  return code == ExitCode::done ? "done" : code == ExitCode::stopped ? "stopped" : "failed";
}

}  // namespace

Json::Object provenance_json(const RunInfo& info) {
  Json::Object object;
  Json::Object libraries;
  const std::string library = "library_";
  for (const auto& [name, value] : build_attributes()) {
    const bool foreign = name.starts_with(library);
    (foreign ? libraries : object).emplace_back(foreign ? name.substr(library.size()) : name, json_of(value));
  }
  object.emplace_back("libraries", std::move(libraries));
  const auto& ranks = info.placement.ranks;
  if (ranks.empty()) return object;
  int most = 0;
  for (const RankPlace& rank : ranks) most = std::max(most, rank.threads);
  object.emplace_back("hosts", host_list(ranks));
  object.emplace_back("ranks", static_cast<std::int64_t>(ranks.size()));
  object.emplace_back("threads_per_rank", most);
  object.emplace_back("binding", binding_text(ranks));
  if (info.placement.dgemm) object.emplace_back("dgemm_flops_per_second", spread_json(*info.placement.dgemm));
  for (const auto& [name, value] : info.all) {
    if (name == "seed") object.emplace_back(name, std::int64_t{std::stoll(value)});
  }
  return object;
}

Json::Object spread_json(const Spread& spread) {
  return {{"min", spread.least}, {"mean", spread.mean}, {"max", spread.most}, {"max_rank", spread.where}};
}

Json::Array stages_json(const std::vector<StageRow>& stages, std::optional<double> dgemm_rate) {
  Json::Array array;
  for (const StageRow& stage : stages) {
    Json::Object object{{"name", stage.name}, {"seconds", spread_json(stage.seconds)}};
    if (stage.flops > 0) object.emplace_back("flops", stage.flops);
    if (stage.bytes > 0) object.emplace_back("bytes", stage.bytes);
    if (dgemm_rate && stage.flop_rate()) object.emplace_back("fraction_of_dgemm", *stage.flop_rate() / *dgemm_rate);
    array.emplace_back(std::move(object));
  }
  return array;
}

Json::Object summary_json(const Beginning& beginning, const Ending& ending, const Report* report,
                          const Spread& memory) {
  Json::Object object{{"schema_name", "stepwise-summary"},
                      {"schema_version", "1.0"},
                      {"status", status_of(ending.code)},
                      {"exit_code", static_cast<int>(ending.code)},
                      {"message", ending.message.empty() ? Json() : Json(ending.message)},
                      {"command_line", beginning.command},
                      {"started", beginning.time},
                      {"ended", utc_now()},
                      {"seconds", beginning.watch.seconds()}};
  if (report != nullptr) {
    object.insert(object.end(), report->results().begin(), report->results().end());
    object.emplace_back("stages", stages_json(report->stages(), report->dgemm_rate()));
  } else {
    object.emplace_back("stages", Json::Array());
  }
  object.emplace_back("peak_memory_bytes", spread_json(memory));
  object.emplace_back("provenance", provenance_json(report != nullptr ? report->info() : RunInfo()));
  return object;
}

}  // namespace stepwise
