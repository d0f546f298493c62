#include "stepwise/cli/stage_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace stepwise {

namespace {

std::optional<double> rate(double work, double seconds) {
  if (work <= 0 || seconds <= 0) return std::nullopt;
  return work / seconds;
}

}  // namespace

std::optional<double> StageRow::flop_rate() const {
  return rate(flops, seconds.most);
}

std::optional<double> StageRow::byte_rate() const {
  return rate(bytes, seconds.most);
}

std::string stage_table(const std::vector<StageRow>& stages, double total, std::optional<double> dgemm_rate) {
  const bool moves = std::any_of(stages.begin(), stages.end(), [](const StageRow& s) { return s.bytes > 0; });
  std::string text =
      fmt::format("{:<28}{:>10}{:>10}{:>10}{:>8}{:>10}", "stage", "seconds", "mean", "max/mean", "%", "GFLOP/s");
  if (dgemm_rate) text += fmt::format("{:>10}", "of DGEMM");
  if (moves) text += fmt::format("{:>10}", "MB/s");
  text += '\n';
  const auto cell = [](std::optional<double> number, int decimals) {
    return number ? fmt::format("{:>10.{}f}", *number, decimals) : fmt::format("{:10}", "");
  };
  const auto row = [&](const std::string& name, double seconds, const std::string& more) {
    std::string line = fmt::format("{:<28}{:>10.3f}", name, seconds);
    line += more.empty() ? fmt::format("{:>28.1f}", 100 * seconds / total) : more;
    line.resize(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  };
  double listed = 0;
  for (const StageRow& stage : stages) {
    const double seconds = stage.seconds.most;
    listed += seconds;
    const auto flops = stage.flop_rate();
    const auto bytes = stage.byte_rate();
    std::string more = cell(stage.seconds.mean, 3) + cell(rate(seconds, stage.seconds.mean), 2) +
                       fmt::format("{:>8.1f}", 100 * seconds / total) +
                       cell(flops ? std::optional(*flops / 1e9) : std::nullopt, 1);
    if (dgemm_rate) more += cell(flops ? std::optional(*flops / *dgemm_rate) : std::nullopt, 2);
    if (moves) more += cell(bytes ? std::optional(*bytes / 1e6) : std::nullopt, 1);
    row(stage.name, seconds, more);
  }
  row("other", std::max(0.0, total - listed), "");
  row("total", total, "");
  return text;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long>(seconds);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h", whole / 3600, whole / 60 % 60);
}

}  // namespace stepwise
