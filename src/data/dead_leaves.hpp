#pragma once

#include <cstdint>
#include <span>

#include "stepwise/data/images.hpp"

namespace stepwise {

/// Draws image `index` of the source into `out` (shape.size() bytes).
void draw_dead_leaves(const DeadLeaves& source, std::int64_t index, std::span<std::uint8_t> out);

}  // namespace stepwise
