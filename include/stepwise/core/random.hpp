#pragma once

#include <array>
#include <cstdint>

namespace stepwise {

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC'11): ten rounds that turn a counter and a key into four
/// independent 32-bit words. A pure function, so any rank can compute the numbers of any sample.
[[nodiscard]] std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) noexcept;

/// What a random number is used for. Streams of different purpose never share numbers.
enum class Purpose : std::uint32_t {
  image = 1,
  crop = 2,
  flip = 3,
  noise = 4,
  probe = 5,
  start = 6,
  feature = 7,
  weight = 10,
  batch = 11
};

/// The random numbers of one (seed, purpose, index, view), in order. Copies are cheap and independent of rank
/// and thread; index < 2^48, view < 2^16, at most 2^34 words.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, Purpose purpose, std::int64_t index, int view = 0) noexcept;

  /// 32 uniform bits.
  [[nodiscard]] std::uint32_t bits() noexcept;
  /// Uniform in [0, 1), 53 bits.
  [[nodiscard]] double uniform() noexcept;
  /// Uniform in 0 .. n-1 without bias (Lemire's multiply and reject), n >= 1.
  [[nodiscard]] std::uint32_t below(std::uint32_t n) noexcept;
  /// Standard normal (Box-Muller, both values used).
  [[nodiscard]] double normal() noexcept;

 private:
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> words_{};
  int used_ = 4;
  bool has_spare_ = false;
  double spare_ = 0;
};

}  // namespace stepwise
