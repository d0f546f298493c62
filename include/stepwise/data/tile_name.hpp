#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace stepwise {

/// "tile-3-17.npy"
[[nodiscard]] std::string tile_file_name(const std::string& name, std::int64_t i, std::int64_t j);

/// The inverse; nothing for other names, or numbers of more than nine digits.
[[nodiscard]] std::optional<std::pair<std::int64_t, std::int64_t>> tile_place(const std::string& name,
                                                                              const std::string& file_name);

}  // namespace stepwise
