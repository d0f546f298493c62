#pragma once

#include <cstdint>
#include <string>

#include "solve_config.hpp"
#include "stepwise/data/image_files.hpp"
#include "stepwise/data/pairs.hpp"

namespace stepwise {

/// Synthetic test images begin with this number.
inline constexpr std::int64_t first_synthetic_test = std::int64_t{1} << 47;

/// Opens the data and replaces every "auto" about it by what it stands for. Of images in one part only, the test images
/// are those after the training images. Local. @throws Error(input).
[[nodiscard]] PairSource open_pairs(SolveConfig& config);

/// A sentence about images of which there is only one part, or "". After open_pairs. Local. @throws Error(input).
[[nodiscard]] std::string note_on_parts(const SolveConfig& config);

/// Pairs of synthetic images of this shape, whatever --data.source says; "auto" as above. Local. @throws Error(input).
[[nodiscard]] PairSource draw_pairs(SolveConfig& config, const ImageShape& shape);

}  // namespace stepwise
