#include "stepwise/core/memory.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>
#include <sstream>

namespace stepwise {
namespace {

std::optional<std::int64_t> read_number(const std::string& path) {
  std::ifstream in(path);
  std::int64_t number = 0;
  if (in >> number) return number;
  return std::nullopt;  // missing, or "max"
}

std::optional<std::int64_t> meminfo_available() {
  std::ifstream in("/proc/meminfo");
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string key;
    std::int64_t kibibytes = 0;
    if (fields >> key >> kibibytes && key == "MemAvailable:") return kibibytes * 1024;
  }
  return std::nullopt;
}

/// What is left below the limit of one control group; page cache can be reclaimed, so it does not count as used.
std::optional<std::int64_t> group_left(const std::string& limit_file, const std::string& usage_file,
                                       const std::string& stat_file, const std::string& cache_key) {
  const auto limit = read_number(limit_file);
  const auto usage = read_number(usage_file);
  if (!limit || !usage) return std::nullopt;
  std::int64_t cache = 0;
  std::ifstream stat(stat_file);
  std::string key;
  std::int64_t number = 0;
  while (stat >> key >> number) {
    if (key == cache_key) cache = number;
  }
  return *limit - *usage + cache;
}

/// Every group from the one this process is in up to the root can hold the limit.
std::int64_t smallest_group_left() {
  std::int64_t left = std::numeric_limits<std::int64_t>::max();
  std::ifstream in("/proc/self/cgroup");
  std::string line;
  while (std::getline(in, line)) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool version2 = controllers.empty();
    if (!version2 && controllers != "memory") continue;
    std::string group = line.substr(second + 1);
    while (true) {
      const std::string base = (version2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory") + group + "/";
      const auto found = version2
                             ? group_left(base + "memory.max", base + "memory.current", base + "memory.stat", "file")
                             : group_left(base + "memory.limit_in_bytes", base + "memory.usage_in_bytes",
                                          base + "memory.stat", "total_cache");
      if (found) left = std::min(left, *found);
      const auto slash = group.rfind('/');
      if (slash == std::string::npos) break;
      group.resize(slash);
    }
  }
  return left;
}

}  // namespace

std::optional<std::int64_t> available_memory() {
  const std::int64_t group = smallest_group_left();
  if (const auto system = meminfo_available()) return std::min(*system, group);
  if (group != std::numeric_limits<std::int64_t>::max()) return group;
  return std::nullopt;
}

std::int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

std::string format_bytes(double bytes) {
  constexpr std::array<const char*, 6> units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  const int decimals = unit == 0 || bytes >= 100 ? 0 : bytes >= 10 ? 1 : 2;
  return fmt::format("{:.{}f} {}", bytes, decimals, units[unit]);
}

}  // namespace stepwise
