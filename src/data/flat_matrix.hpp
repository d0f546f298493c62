#pragma once

#include <cstdint>
#include <string>

#include "stepwise/core/index.hpp"
#include "stepwise/core/matrix_view.hpp"

namespace stepwise {

/// A matrix that lies in a file as it would in memory: .npy, or a contiguous dataset of an HDF5 file.
struct FlatMatrix {
  std::string path;
  std::int64_t offset = 0;  ///< of the first number, in bytes
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  bool single = false;
  bool by_columns = false;
};

/// The matrix in a .npy file, of two dimensions; with `stacked` also of three, the first two of which count rows.
/// @throws Error(input) when it is not a matrix of little-endian floats or doubles.
[[nodiscard]] FlatMatrix open_npy_matrix(const std::string& path, bool stacked = false);

/// A file open for reading, until its last copy goes. Thread-safe.
class ReadFile {
 public:
  /// @throws Error(input) with the reason.
  explicit ReadFile(const std::string& path);
  ReadFile(const ReadFile&) = delete;
  ReadFile& operator=(const ReadFile&) = delete;
  ~ReadFile();
  /// @throws Error(io) when there are fewer bytes.
  void read(std::int64_t offset, std::int64_t bytes, char* out) const;

 private:
  std::string path_;
  int descriptor_ = -1;
};

/// out(i, j) = entry (rows.begin + i, cols.begin + j). Memory: 1 MiB, or one line of the part. @throws Error(io).
void read_part(const ReadFile& file, const FlatMatrix& matrix, Range rows, Range cols, MatrixView<double> out);

}  // namespace stepwise
