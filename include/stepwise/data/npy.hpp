#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stepwise/core/matrix_view.hpp"

namespace stepwise {

/// What the header of a NumPy .npy file says.
struct NpyHeader {
  std::string type;  ///< NumPy's code: "<f8" is a little-endian double
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::int64_t offset = 0;  ///< of the first number, in bytes from the file's beginning
};

/// Takes the beginning of a file apart; formats 1.0, 2.0 and 3.0. `path` is for messages. Pure.
/// @throws Error(input) when it is no .npy file, or cut off inside its header.
/// Source: numpy.lib.format, NEP 1.
[[nodiscard]] NpyHeader parse_npy_header(std::string_view beginning, const std::string& path);

/// Reads the header of a file. Local. @throws Error(input) also when it cannot be read, or is shorter or longer than
/// its numbers (of four or eight bytes) need.
[[nodiscard]] NpyHeader read_npy_header(const std::string& path);

/// The header of a rows x cols matrix of doubles or floats, row by row; its numbers follow. A multiple of 64 bytes.
[[nodiscard]] std::string npy_header(std::int64_t rows, std::int64_t cols, bool single,
                                     const std::string& comment = "");

/// Writes a matrix to `path`: to a temporary name beside it, synced to disk, then renamed, so that a file under its
/// name is whole. Local. @throws Error(io) with the reason, leaving nothing behind.
void write_npy(const std::string& path, MatrixView<const double> matrix, bool single);

/// Whether a file is what write_npy() wrote: its header holds a checksum of its numbers, as a comment, which NumPy
/// ignores. False for files of others. Local. @throws Error(input) when it cannot be read.
[[nodiscard]] bool is_undamaged_npy(const std::string& path);

/// The same for any bytes.
void write_whole(const std::string& path, std::string_view bytes);
/// Whether a file is what a write_whole() that was killed has left.
[[nodiscard]] bool is_left_over(const std::string& file_name);

}  // namespace stepwise
