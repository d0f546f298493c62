#include "data/flat_matrix.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "stepwise/core/error.hpp"
#include "stepwise/data/npy.hpp"

namespace stepwise {
namespace {

static_assert(std::endian::native == std::endian::little, "files hold little-endian numbers");

constexpr std::int64_t bytes_per_read = std::int64_t{1} << 20;

template <class T>
void read_lines(const ReadFile& file, const FlatMatrix& matrix, Range lines, Range places, const auto& put) {
  const std::int64_t width = matrix.by_columns ? matrix.rows : matrix.cols;
  const auto size = static_cast<std::int64_t>(sizeof(T));
  // Whole lines follow each other without a gap.
  const std::int64_t at_once =
      places.size() == width ? std::clamp<std::int64_t>(bytes_per_read / (width * size), 1, lines.size()) : 1;
  std::vector<T> buffer(static_cast<std::size_t>(at_once * places.size()));
  for (std::int64_t first = lines.begin; first < lines.end; first += at_once) {
    const std::int64_t count = std::min(at_once, lines.end - first);
    file.read(matrix.offset + (first * width + places.begin) * size, count * places.size() * size,
              reinterpret_cast<char*>(buffer.data()));
    const T* from = buffer.data();
    for (std::int64_t line = first; line < first + count; ++line, from += places.size()) put(line - lines.begin, from);
  }
}

template <class T>
void read_as(const ReadFile& file, const FlatMatrix& matrix, Range rows, Range cols, MatrixView<double> out) {
  if (matrix.by_columns) {
    read_lines<T>(file, matrix, cols, rows,
                  [&](std::int64_t j, const T* from) { std::copy_n(from, out.rows, out.column(j)); });
  } else {
    read_lines<T>(file, matrix, rows, cols, [&](std::int64_t i, const T* from) {
      for (std::int64_t j = 0; j < out.cols; ++j) out(i, j) = static_cast<double>(from[j]);
    });
  }
}

}  // namespace

FlatMatrix open_npy_matrix(const std::string& path, bool stacked) {
  NpyHeader header = read_npy_header(path);
  if (stacked && header.shape.size() == 3) {
    if (header.fortran_order) {
      fail(ExitCode::input, "{}: has three dimensions in Fortran order: save numpy.ascontiguousarray(array)", path);
    }
    header.shape = {header.shape[0] * header.shape[1], header.shape[2]};
  }
  if (header.shape.size() != 2) {
    fail(ExitCode::input, "{}: has {} dimensions, {}", path, header.shape.size(),
         stacked ? "must be (samples, width) or (views, n, width)" : "a matrix has two");
  }
  if (header.type != "<f8" && header.type != "<f4") {
    fail(ExitCode::input, "{}: holds numbers of type '{}', must be '<f8' or '<f4': save array.astype('<f8')", path,
         header.type);
  }
  return {path, header.offset, header.shape[0], header.shape[1], header.type == "<f4", header.fortran_order};
}

ReadFile::ReadFile(const std::string& path) : path_(path), descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) fail(ExitCode::input, "{}: cannot be opened: {}", path, std::strerror(errno));
}

ReadFile::~ReadFile() {
  close(descriptor_);
}

void ReadFile::read(std::int64_t offset, std::int64_t bytes, char* out) const {
  while (bytes > 0) {
    const ssize_t count = pread(descriptor_, out, static_cast<std::size_t>(bytes), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(ExitCode::io, "{}: cannot be read at byte {}: {}", path_, offset, std::strerror(errno));
    if (count == 0) fail(ExitCode::io, "{}: ends at byte {}: do not change it meanwhile", path_, offset);
    offset += count;
    bytes -= count;
    out += count;
  }
}

void read_part(const ReadFile& file, const FlatMatrix& matrix, Range rows, Range cols, MatrixView<double> out) {
  if (rows.size() == 0 || cols.size() == 0) return;
  matrix.single ? read_as<float>(file, matrix, rows, cols, out) : read_as<double>(file, matrix, rows, cols, out);
}

}  // namespace stepwise
