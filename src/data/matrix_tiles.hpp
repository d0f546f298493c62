#pragma once

#include <string>

#include "stepwise/data/stored_matrix.hpp"

namespace stepwise {

// Matrices in a directory of .npy files NAME-I-J.npy, tile (I, J) of the matrix.

inline constexpr const char* train_tiles = "tile";  ///< upper triangle of a symmetric matrix: I <= J
inline constexpr const char* test_tiles = "test";   ///< all tiles

[[nodiscard]] bool has_tiles(const std::string& directory, const std::string& name);

/// @throws Error(input) naming the file: a tile that is missing or cannot be read, or has another shape than its place
/// and tile (0, 0) ask for. Cost: opening each file once.
[[nodiscard]] StoredMatrix open_tiles(const std::string& directory, const std::string& name);

}  // namespace stepwise
