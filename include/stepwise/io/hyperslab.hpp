#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/dist/block_cyclic.hpp"

namespace stepwise {

// Which part of a dataset a rank holds, as HDF5 selects it. Pure arithmetic, no MPI.

/// `count` blocks of `block` consecutive indices, the first at `start`, each `stride` behind the one before.
struct Stripe {
  std::int64_t start = 0;
  std::int64_t stride = 1;
  std::int64_t count = 0;
  std::int64_t block = 1;
  [[nodiscard]] constexpr std::int64_t size() const noexcept { return count * block; }
  friend bool operator==(const Stripe&, const Stripe&) = default;
};

/// What process `proc` holds of the indices in `range`, which begins with a block and ends with one or with the last
/// index, ascending: its whole blocks, then the edge block where the last one is shorter.
[[nodiscard]] std::vector<Stripe> stripes(const BlockCyclic& map, std::int64_t proc, Range range);

/// The same where index Vi + v of the map, V being `views`, is index v n / V + i of the dataset (all first views, then
/// all second ones): view by view. The map's n and block are multiples of V.
[[nodiscard]] std::vector<Stripe> stacked_stripes(const BlockCyclic& map, std::int64_t proc, Range range,
                                                  std::int64_t views);

/// How many views of every sample stand side by side in the rows and columns of a matrix, which a dataset has stacked.
struct StackedViews {
  std::int64_t rows = 1;
  std::int64_t cols = 1;
};

/// How many rows of a block-cyclic matrix travel at once, so that no process handles more than about `numbers` entries:
/// whole rounds of blocks where they fit, else one block of rows.
[[nodiscard]] std::int64_t panel_rows(const BlockCyclic& rows, const BlockCyclic& cols, std::int64_t numbers);

}  // namespace stepwise
