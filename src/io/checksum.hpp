#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "io/transfer.hpp"
#include "stepwise/core/hash.hpp"

// Checksums of datasets: the sum, modulo 2^64, of place_hash over their numbers, a number's place being the one in the
// dataset, row by row. Parts of it may be summed by anybody in any order.

namespace stepwise {

template <class T>
[[nodiscard]] std::uint64_t bits_of(T number) {
  return std::bit_cast<std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>(number);
}

/// Of numbers that follow each other, from place `first` on.
template <class T>
[[nodiscard]] std::uint64_t hash_run(std::int64_t first, std::span<const T> values) {
  std::uint64_t total = 0;
  for (const T value : values) total += place_hash(first++, bits_of(value));
  return total;
}

/// Of a part of a dataset with `width` columns, as it lies in memory.
template <class T>
[[nodiscard]] std::uint64_t hash_slab(const Slab& slab, std::int64_t width, const T* values) {
  std::uint64_t total = 0;
  for (const Stripe& rows : slab.rows) {
    for (std::int64_t r = 0; r < rows.size(); ++r, values += slab.stride) {
      const std::int64_t row = rows.start + r / rows.block * rows.stride + r % rows.block;
      const T* from = values;
      for (const Stripe& cols : slab.cols) {
        for (std::int64_t i = 0; i < cols.count; ++i, from += cols.block) {
          total += hash_run(row * width + cols.start + i * cols.stride,
                            std::span(from, static_cast<std::size_t>(cols.block)));
        }
      }
    }
  }
  return total;
}

}  // namespace stepwise
