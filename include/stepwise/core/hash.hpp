#pragma once

#include <cstdint>

namespace stepwise {

/// A hash of a number and its place. The sum over all numbers, modulo 2^64, is a checksum that does not depend on who
/// holds what. The output function of splitmix64 (Steele, Lea, Flood 2014).
[[nodiscard]] constexpr std::uint64_t place_hash(std::int64_t place, std::uint64_t bits) noexcept {
  std::uint64_t x = bits + 0x9e3779b97f4a7c15U * (static_cast<std::uint64_t>(place) + 1);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

}  // namespace stepwise
