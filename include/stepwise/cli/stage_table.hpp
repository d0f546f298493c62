#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stepwise/cli/spread.hpp"

namespace stepwise {

/// Wall time of a stage on all ranks, and the work it stands for, over all of them (0: not meaningful).
struct StageRow {
  std::string name;
  Spread seconds;
  double flops = 0;
  double bytes = 0;  ///< read or written

  /// Of the slowest rank, per second; nothing where the stage stands for none.
  [[nodiscard]] std::optional<double> flop_rate() const;
  [[nodiscard]] std::optional<double> byte_rate() const;
};

/// Stage | seconds of the slowest rank | mean over ranks | max/mean | share | GFLOP/s | fraction of `dgemm_rate`, all
/// ranks', where it is known | MB/s, then what is left of `total` seconds, and the total.
[[nodiscard]] std::string stage_table(const std::vector<StageRow>& stages, double total,
                                      std::optional<double> dgemm_rate);

/// "12.3 s", "4:05 min", "3:10 h"
[[nodiscard]] std::string duration_text(double seconds);

}  // namespace stepwise
