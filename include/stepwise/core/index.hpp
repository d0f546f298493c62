#pragma once

#include <cstdint>
#include <limits>

#include "stepwise/core/error.hpp"

namespace stepwise {

/// A row or column number of a distributed matrix, counted over all ranks.
enum class Global : std::int64_t {};
/// A row or column number inside one rank's part of a distributed matrix.
enum class Local : std::int64_t {};

[[nodiscard]] constexpr std::int64_t value(Global i) noexcept {
  return static_cast<std::int64_t>(i);
}
[[nodiscard]] constexpr std::int64_t value(Local i) noexcept {
  return static_cast<std::int64_t>(i);
}

/// Converts a 64-bit count for a 32-bit interface (Fortran, MPI).
/// @throws Error(memory) when it does not fit, naming `what`.
[[nodiscard]] inline int narrow(std::int64_t n, const char* what) {
  if (n < std::numeric_limits<int>::min() || n > std::numeric_limits<int>::max()) {
    fail(ExitCode::memory, "{} is {}, beyond the 32-bit limit of the library underneath: use more ranks", what, n);
  }
  return static_cast<int>(n);
}

/// Smallest integer >= a / b, for a >= 0, b > 0.
[[nodiscard]] constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) noexcept {
  return (a + b - 1) / b;
}

/// Half-open range [begin, end) of global indices.
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  [[nodiscard]] constexpr std::int64_t size() const noexcept { return end - begin; }
  friend bool operator==(const Range&, const Range&) = default;
};

/// Part `part` of `parts` contiguous, nearly equal pieces of 0..n; the first n % parts pieces are one longer.
[[nodiscard]] constexpr Range even_share(std::int64_t n, std::int64_t parts, std::int64_t part) noexcept {
  const std::int64_t base = n / parts;
  const std::int64_t extra = n % parts;
  const std::int64_t begin = part * base + (part < extra ? part : extra);
  return {begin, begin + base + (part < extra ? 1 : 0)};
}

/// The inverse of even_share: which piece holds index i.
[[nodiscard]] constexpr std::int64_t share_of(std::int64_t n, std::int64_t parts, std::int64_t i) noexcept {
  const std::int64_t base = n / parts;
  const std::int64_t extra = n % parts;
  const std::int64_t split = extra * (base + 1);
  return i < split ? i / (base + 1) : extra + (i - split) / base;
}

}  // namespace stepwise
