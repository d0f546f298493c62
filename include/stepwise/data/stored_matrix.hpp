#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/core/matrix_view.hpp"

namespace stepwise {

/// A matrix of floating-point numbers in files, of which only parts are ever in memory.
struct StoredMatrix {
  std::string name;  ///< the file, with the dataset in it: "k.h5:/kernel/train"
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  bool single = false;  ///< stored in single precision
  bool upper = false;   ///< only entries on and above the diagonal are stored, and stand for their mirror images
  /// out(i, j) = entry (rows.begin + i, cols.begin + j). Thread-safe, costs a system call for each stretch of numbers.
  /// @throws Error(io) when reading fails.
  std::function<void(Range rows, Range cols, MatrixView<double> out)> read;
};

// Where a kernel matrix may be stored:
// - an HDF5 file, "FILE" or "FILE:/path/to/dataset": float32 or float64, any layout and filter;
// - a NumPy .npy file, '<f4' or '<f8', by rows or by columns;
// - a directory of tiles tile-I-J.npy with I <= J: all T x T, the last of each row and column as large as what is left.

/// The N x N kernel matrix at `path` (in HDF5: dataset /kernel/train unless `path` names another). Checks what the
/// headers say; the numbers are not looked at. Local.
/// @throws Error(input) naming the file: missing, of another kind or type, not a square matrix whose order is a
/// multiple of `views`, tiles that are missing or do not fit.
[[nodiscard]] StoredMatrix open_kernel_matrix(const std::string& path, std::int64_t views = 2);

/// The kernel between test samples (rows) and `order` training samples (columns): at `test_path`, or where that is
/// empty, beside the matrix at `path`: dataset /kernel/test of the same file, tiles test-I-J.npy of the same directory.
/// Nothing when there is none. Local. @throws Error(input).
[[nodiscard]] std::optional<StoredMatrix> open_test_kernel(const std::string& path, const std::string& test_path,
                                                           std::int64_t order);

/// Numbers of samples in a file, a row for each of them, and how they are grouped.
struct SampleRows {
  StoredMatrix matrix;
  std::int64_t views = 0;  ///< of (views, n, width), stacked view by view; 0: of (N, width)
};

/// The numbers at `path`: a .npy file, "FILE.h5:/path/to/dataset", or an HDF5 file that has one of `datasets`; of two
/// or three dimensions, float32 or float64. Local. @throws Error(input) naming the file.
[[nodiscard]] SampleRows open_sample_rows(const std::string& path, const std::vector<std::string>& datasets);

}  // namespace stepwise
