#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace stepwise {

constexpr std::size_t cache_line = 64;

/// Frees what allocate_lines() gave.
struct FreeLines {
  void operator()(void* data) const noexcept { ::operator delete[](data, std::align_val_t{cache_line}); }
};

/// Numbers that begin at the start of a cache line, so that vectors of them never cross one.
template <class T>
using CacheLines = std::unique_ptr<T[], FreeLines>;

/// Not filled with zeros: whoever writes a number first touches its memory. @throws std::bad_alloc.
template <class T>
[[nodiscard]] CacheLines<T> allocate_lines(std::size_t count) {
  return CacheLines<T>(static_cast<T*>(::operator new[](count * sizeof(T), std::align_val_t{cache_line})));
}

/// The least multiple of a cache line's numbers that is not below n.
template <class T>
[[nodiscard]] constexpr std::int64_t whole_lines(std::int64_t n) noexcept {
  constexpr auto line = static_cast<std::int64_t>(cache_line / sizeof(T));
  return (n + line - 1) / line * line;
}

}  // namespace stepwise
