#include "stepwise/cli/report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "stepwise/cli/provenance.hpp"
#include "stepwise/cli/summary.hpp"
#include "stepwise/core/memory.hpp"

namespace stepwise {
namespace {

/// Values with spaces, and empty ones, in quotes, as a command line would have them.
Settings quoted(Settings settings) {
  for (auto& [name, value] : settings) {
    if (value.empty() || value.find_first_of(" ,\t") != std::string::npos) value = fmt::format("'{}'", value);
  }
  return settings;
}

std::string joined(const Settings& settings, const char* between, const char* behind) {
  std::string text;
  for (const auto& [name, value] : settings)
    text += fmt::format("{}{}{}{}", text.empty() ? "" : behind, name, between, value);
  return text;
}

Json::Object object_of(const Settings& settings) {
  Json::Object object;
  for (const auto& [name, value] : settings) object.emplace_back(name, value);
  return object;
}

std::string threads_text(const std::vector<RankPlace>& ranks) {
  const auto [fewest, most] = std::minmax_element(ranks.begin(), ranks.end(),
                                                  [](const auto& a, const auto& b) { return a.threads < b.threads; });
  if (fewest->threads == most->threads)
    return fmt::format("{} thread{} each", most->threads, most->threads == 1 ? "" : "s");
  return fmt::format("{} to {} threads each", fewest->threads, most->threads);
}

std::string header_text(const RunInfo& info, const Work& work) {
  const auto& ranks = info.placement.ranks;
  std::string text = version_line();
  const auto line = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format("\n  {:<10} {}", name, value);
  };
  line("hosts", host_list(ranks));
  std::string layout = fmt::format("{}, {}, {}", ranks.size(), threads_text(ranks), binding_text(ranks));
  if (work.grid)
    layout += fmt::format("; process grid {} x {}, blocks of {}", work.grid->rows, work.grid->cols, work.block);
  line("ranks", layout);
  line("libraries", libraries_text());
  if (const auto& dgemm = info.placement.dgemm) {
    line("DGEMM", fmt::format("{:.1f} GFLOP/s per rank, {:.1f} on the slowest", dgemm->mean / 1e9, dgemm->least / 1e9));
  }
  line("problem", work.problem);
  line("kernel", work.kernel);
  line("settings", info.changed.empty() ? "as by default" : joined(quoted(info.changed), " ", ", "));
  return text;
}

}  // namespace

Report::Report(const Communicator& comm, const LogSettings& settings, RunInfo info)
    : comm_(comm), log_(comm, settings), info_(std::move(info)), progress_([this](double f) { show(f); }) {}

Report::~Report() {
  log_.clear();
}

void Report::start(const Work& work) {
  if (info_.placement.ranks.empty()) info_.placement = find_placement(comm_);
  Json::Object fields = provenance_json(info_);
  if (work.grid) {
    fields.emplace_back("process_grid", fmt::format("{}x{}", work.grid->rows, work.grid->cols));
    fields.emplace_back("block_size", work.block);
  }
  fields.emplace_back("problem", work.problem);
  if (!work.kernel.empty()) fields.emplace_back("kernel", work.kernel);
  fields.emplace_back("command_line", info_.command);
  fields.emplace_back("settings", object_of(info_.changed));
  log_.write({LogLevel::info, "start", header_text(info_, work), {}, std::move(fields)});
  log_.write(
      {LogLevel::debug, "settings", "all settings:\n  " + joined(info_.all, " = ", "\n  "), {}, object_of(info_.all)});
  const auto& ranks = info_.placement.ranks;
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    const std::string cores = core_list(ranks[r].cores);
    log_.write({LogLevel::debug,
                "rank",
                fmt::format("rank {}: {}, threads: {}, cores: {}", r, ranks[r].host, ranks[r].threads, cores),
                {},
                {{"rank", static_cast<std::int64_t>(r)},
                 {"host", ranks[r].host},
                 {"threads", ranks[r].threads},
                 {"cores", cores}}});
  }
  for (const std::string& text : placement_warnings(info_.placement, work.direct ? work.grid : std::nullopt))
    warn(text);
}

void Report::begin(const std::string& name) {
  name_ = name;
  stage_ = Stopwatch();
  last_shown_ = 0;
  log_.write({LogLevel::debug, "begin", name + " ...", name_});
  log_.progress(name_ + " ...");
}

void Report::show(double fraction) {
  const double seconds = stage_.seconds();
  if (seconds - last_shown_ < 0.2 || fraction <= 0) return;
  last_shown_ = seconds;
  log_.progress(
      fmt::format("{} ... {:.0f} %, {} left", name_, 100 * fraction, duration_text(seconds / fraction - seconds)));
}

void Report::end(double flops) {
  stages_.push_back({name_, spread_of(comm_, stage_.seconds()), flops, 0});
  const Spread& seconds = stages_.back().seconds;
  log_.write({LogLevel::info,
              "stage",
              fmt::format("{}: {}", name_, duration_text(seconds.most)),
              name_,
              {{"seconds", spread_json(seconds)}, {"flops", flops}}});
  name_.clear();
}

void Report::moved(double bytes) {
  stages_.back().bytes += bytes;
}

void Report::split_last(const std::vector<StageTime>& parts) {
  stages_.pop_back();
  for (const StageTime& part : parts) {
    stages_.push_back({part.name, spread_of(comm_, part.seconds), part.flops, part.bytes});
  }
}

void Report::merge_from(std::size_t first, const std::string& name) {
  StageRow whole{name, {}, 0, 0};
  for (std::size_t i = first; i < stages_.size(); ++i) {
    const Spread& part = stages_[i].seconds;
    whole.seconds.least += part.least;
    whole.seconds.mean += part.mean;
    if (stages_[i].seconds.most > whole.seconds.most) whole.seconds.where = part.where;
    whole.seconds.most += part.most;
  }
  stages_.resize(first);
  stages_.push_back(std::move(whole));
}

void Report::note(const std::string& text) {
  log_.write({LogLevel::info, "note", text, name_});
}

void Report::warn(const std::string& text) {
  log_.write({LogLevel::warning, "warning", text, name_});
}

void Report::result(const std::string& name, Json value) {
  results_.emplace_back(name, std::move(value));
}

std::optional<double> Report::dgemm_rate() const {
  const auto& dgemm = info_.placement.dgemm;
  if (!dgemm) return std::nullopt;
  return dgemm->mean * comm_.size();
}

std::string Report::timing_table() {
  const double total = max(comm_, total_.seconds());
  const Spread peak = spread_of(comm_, static_cast<double>(peak_memory()));
  std::string text = stage_table(stages_, total, dgemm_rate());
  text += fmt::format("peak memory per rank {} to {} (rank {}), {} on all {}\n", format_bytes(peak.least),
                      format_bytes(peak.most), peak.where, format_bytes(peak.mean * comm_.size()), comm_.size());
  if (log_.is_record()) {
    log_.write(
        {LogLevel::info,
         "timing",
         "times:\n" + text.substr(0, text.size() - 1),
         {},
         {{"stages", stages_json(stages_, dgemm_rate())}, {"seconds", total}, {"peak_memory", spread_json(peak)}}});
  }
  return text;
}

}  // namespace stepwise
