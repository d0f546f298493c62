#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "stepwise/core/timing.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise::bench {

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// The n-th word of the command line as a number, or what stands for it.
inline std::int64_t argument(int argc, char** argv, int n, std::int64_t otherwise) {
  return argc > n ? std::atoll(argv[n]) : otherwise;
}

/// Runs both in turn and prints the medians of their times; the slowest rank counts. Collective.
inline void compare(const Communicator& comm, const std::string& name, int repeats, const std::string& peer_name,
                    const std::function<void()>& peer, const std::function<void()>& own) {
  std::vector<double> peer_seconds;
  std::vector<double> own_seconds;
  const auto time = [&](const std::function<void()>& work) {
    MPI_Barrier(comm.raw());
    const Stopwatch watch;
    work();
    return max(comm, watch.seconds());
  };
  for (int i = 0; i < repeats; ++i) {
    peer_seconds.push_back(time(peer));
    own_seconds.push_back(time(own));
  }
  if (comm.rank() != 0) return;
  const double theirs = median(peer_seconds);
  const double ours = median(own_seconds);
  fmt::print("BENCH name={} {}_s={:.4f} stepwise_s={:.4f} stepwise_over_{}={:.3f}\n", name, peer_name, theirs, ours,
             peer_name, ours / theirs);
}

}  // namespace stepwise::bench
