#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace stepwise {

/// Seconds since construction.
class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Called now and then by one thread with the fraction of this rank's work that is done.
using Progress = std::function<void(double)>;

/// Wall time of one named stage of a run, the floating-point operations it stands for and the bytes it read or wrote,
/// over all ranks (0: not meaningful).
struct StageTime {
  std::string name;
  double seconds = 0;
  double flops = 0;
  double bytes = 0;
};

}  // namespace stepwise
