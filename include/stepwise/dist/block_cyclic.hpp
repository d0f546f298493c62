#pragma once

#include <algorithm>
#include <cstdint>

#include "stepwise/core/index.hpp"

namespace stepwise {

/// How one dimension of length n is dealt out block-cyclically: block b of `block` indices belongs to process
/// b mod procs. Pure arithmetic, no MPI (ScaLAPACK Users' Guide, section 4.3, source process 0).
struct BlockCyclic {
  std::int64_t n = 0;
  std::int64_t block = 1;
  std::int64_t procs = 1;

  [[nodiscard]] constexpr std::int64_t owner(Global i) const noexcept { return (value(i) / block) % procs; }
  [[nodiscard]] constexpr Local to_local(Global i) const noexcept {
    return Local{value(i) / (block * procs) * block + value(i) % block};
  }
  [[nodiscard]] constexpr Global to_global(Local l, std::int64_t proc) const noexcept {
    return Global{(value(l) / block * procs + proc) * block + value(l) % block};
  }
  /// How many indices process `proc` holds.
  [[nodiscard]] constexpr std::int64_t local_count(std::int64_t proc) const noexcept { return first_at_least(n, proc); }
  /// Local position of the first index held by `proc` that is >= i; local_count(proc) when there is none below n.
  [[nodiscard]] constexpr std::int64_t first_at_least(std::int64_t i, std::int64_t proc) const noexcept {
    const std::int64_t full = i / block;  // whole blocks before i
    const std::int64_t rounds = full / procs;
    const std::int64_t left = full % procs;
    if (proc < left) return (rounds + 1) * block;
    return rounds * block + (proc == left ? i % block : 0);
  }
  friend bool operator==(const BlockCyclic&, const BlockCyclic&) = default;
};

/// Largest usable block size: at most `wanted`, small enough that every process of both grid dimensions owns part of
/// n where n allows it (ScaLAPACK needs block <= ceil(n / procs)), and a multiple of `unit`, the samples that must stay
/// together (2: the two views of a pair).
[[nodiscard]] constexpr std::int64_t fitting_block(std::int64_t n, std::int64_t procs, std::int64_t wanted,
                                                   std::int64_t unit) noexcept {
  std::int64_t block = std::min(wanted, ceil_div(n, procs));
  if (procs > 1) block = std::min(block, (n - 1) / (procs - 1));
  return std::max(block / unit * unit, unit);
}

}  // namespace stepwise
