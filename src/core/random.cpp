#include "stepwise/core/random.hpp"

#include <cmath>
#include <numbers>

namespace stepwise {

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) noexcept {
  constexpr std::uint64_t multiplier0 = 0xD2511F53;
  constexpr std::uint64_t multiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t weyl0 = 0x9E3779B9;  // golden ratio
  constexpr std::uint32_t weyl1 = 0xBB67AE85;  // sqrt(3) - 1
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = multiplier0 * counter[0];
    const std::uint64_t p1 = multiplier1 * counter[2];
    counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
               static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += weyl0;
    key[1] += weyl1;
  }
  return counter;
}

RandomStream::RandomStream(std::uint64_t seed, Purpose purpose, std::int64_t index, int view) noexcept
    // Word 0 counts within the stream; words 1 to 3 name it.
    : counter_{0, static_cast<std::uint32_t>(index),
               (static_cast<std::uint32_t>(static_cast<std::uint64_t>(index) >> 32) & 0xFFFFU) |
                   (static_cast<std::uint32_t>(view) << 16),
               static_cast<std::uint32_t>(purpose)},
      key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)} {}

std::uint32_t RandomStream::bits() noexcept {
  if (used_ == 4) {
    words_ = philox(counter_, key_);
    ++counter_[0];
    used_ = 0;
  }
  return words_[static_cast<std::size_t>(used_++)];
}

double RandomStream::uniform() noexcept {
  const std::uint64_t high = bits() >> 5;
  const std::uint64_t low = bits() >> 6;
  return static_cast<double>((high << 26) | low) * 0x1p-53;
}

std::uint32_t RandomStream::below(std::uint32_t n) noexcept {
  const std::uint32_t threshold = (0U - n) % n;
  while (true) {
    const std::uint64_t product = std::uint64_t{bits()} * n;
    if (static_cast<std::uint32_t>(product) >= threshold) return static_cast<std::uint32_t>(product >> 32);
  }
}

double RandomStream::normal() noexcept {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  const double angle = 2 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

}  // namespace stepwise
