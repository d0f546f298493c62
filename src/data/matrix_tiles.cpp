#include "data/matrix_tiles.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "data/flat_matrix.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/data/tile_name.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

/// Lengths of the tiles along one dimension: all equal but the last, which may be shorter.
struct Cuts {
  std::int64_t tile = 0;
  std::int64_t last = 0;
  std::int64_t count = 0;

  [[nodiscard]] std::int64_t total() const { return (count - 1) * tile + last; }
  [[nodiscard]] std::int64_t size(std::int64_t i) const { return i + 1 == count ? last : tile; }
};

struct Tiles {
  std::string directory;
  std::string name;
  bool upper = false;
  Cuts rows;
  Cuts cols;
  std::vector<FlatMatrix> files;  // row-major

  [[nodiscard]] std::string path(std::int64_t i, std::int64_t j) const {
    return fmt::format("{}/{}", directory, tile_file_name(name, i, j));
  }
  [[nodiscard]] const FlatMatrix& file(std::int64_t i, std::int64_t j) const {
    return files[static_cast<std::size_t>(i * cols.count + j)];
  }
};

bool is_there(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// The largest tile numbers that any file name holds: a gap before them is a missing tile.
std::pair<std::int64_t, std::int64_t> largest_numbers(const Tiles& tiles) {
  std::pair<std::int64_t, std::int64_t> largest{-1, -1};
  for (const auto& entry : fs::directory_iterator(tiles.directory)) {
    if (const auto place = tile_place(tiles.name, entry.path().filename().string())) {
      largest = {std::max(largest.first, place->first), std::max(largest.second, place->second)};
    }
  }
  return largest;
}

void read_overlap(const Tiles& tiles, std::int64_t i, std::int64_t j, Range rows, Range cols, MatrixView<double> out) {
  const FlatMatrix& matrix = tiles.file(i, j);
  read_part(ReadFile(matrix.path), matrix, rows, cols, out);
}

/// The part of the matrix in `rows` and `cols`, tile by tile; of the lower triangle from the tiles above the diagonal.
void read_tiles(const Tiles& tiles, Range rows, Range cols, MatrixView<double> out) {
  const auto overlap = [](Range whole, std::int64_t tile, std::int64_t number) {
    return Range{std::max(whole.begin, tile * number), std::min(whole.end, tile * (number + 1))};
  };
  std::vector<double> mirrored;
  for (std::int64_t i = rows.begin / tiles.rows.tile; i * tiles.rows.tile < rows.end; ++i) {
    const Range r = overlap(rows, tiles.rows.tile, i);
    const std::int64_t row = i * tiles.rows.tile;
    for (std::int64_t j = cols.begin / tiles.cols.tile; j * tiles.cols.tile < cols.end; ++j) {
      const Range c = overlap(cols, tiles.cols.tile, j);
      const std::int64_t col = j * tiles.cols.tile;
      const MatrixView<double> part = out.block(r.begin - rows.begin, c.begin - cols.begin, r.size(), c.size());
      const Range inner_rows{r.begin - row, r.end - row};
      const Range inner_cols{c.begin - col, c.end - col};
      if (!tiles.upper || i <= j) {
        read_overlap(tiles, i, j, inner_rows, inner_cols, part);
        continue;
      }
      mirrored.resize(static_cast<std::size_t>(r.size() * c.size()));
      const MatrixView<double> image{mirrored.data(), c.size(), r.size(), c.size()};
      read_overlap(tiles, j, i, inner_cols, inner_rows, image);
      for (std::int64_t b = 0; b < part.cols; ++b) {
        for (std::int64_t a = 0; a < part.rows; ++a) part(a, b) = image(b, a);
      }
    }
  }
}

void open_all(Tiles& tiles) {
  for (std::int64_t i = 0; i < tiles.rows.count; ++i) {
    for (std::int64_t j = 0; j < tiles.cols.count; ++j) {
      FlatMatrix& matrix = tiles.files.emplace_back();
      if (tiles.upper && i > j) continue;
      const std::string path = tiles.path(i, j);
      if (!is_there(path)) {
        fail(ExitCode::input, "{}: is missing: the other files make {} x {} tiles{}", path, tiles.rows.count,
             tiles.cols.count, tiles.upper ? ", of which those with I <= J must be there" : "");
      }
      matrix = open_npy_matrix(path);
      const std::int64_t rows = tiles.rows.size(i);
      const std::int64_t cols = tiles.cols.size(j);
      if (matrix.rows != rows || matrix.cols != cols) {
        fail(ExitCode::input,
             "{}: is {} x {}, must be {} x {}: all tiles are as large as the first, but for the last "
             "of each row and column",
             path, matrix.rows, matrix.cols, rows, cols);
      }
    }
  }
}

}  // namespace

bool has_tiles(const std::string& directory, const std::string& name) {
  return is_there(fmt::format("{}/{}", directory, tile_file_name(name, 0, 0)));
}

StoredMatrix open_tiles(const std::string& directory, const std::string& name) {
  auto tiles = std::make_shared<Tiles>();
  tiles->directory = directory;
  tiles->name = name;
  tiles->upper = name == train_tiles;
  if (!has_tiles(directory, name)) {
    fail(ExitCode::input, "{}: is missing: the directory should hold the tiles {}-I-J.npy of a matrix",
         tiles->path(0, 0), name);
  }
  const auto last = largest_numbers(*tiles);
  tiles->cols.count = last.second + 1;
  tiles->rows.count = tiles->upper ? tiles->cols.count : last.first + 1;
  const auto require = [&](std::int64_t i, std::int64_t j) {
    if (!is_there(tiles->path(i, j))) {
      fail(ExitCode::input, "{}: is missing: there are tiles up to row {} and column {}", tiles->path(i, j), last.first,
           last.second);
    }
    return open_npy_matrix(tiles->path(i, j));
  };
  const FlatMatrix first = require(0, 0);
  tiles->rows.tile = std::max<std::int64_t>(first.rows, 1);
  tiles->cols.tile = std::max<std::int64_t>(first.cols, 1);
  tiles->cols.last = require(0, tiles->cols.count - 1).cols;
  tiles->rows.last = tiles->upper ? tiles->cols.last : require(tiles->rows.count - 1, 0).rows;
  if (tiles->upper && first.rows != first.cols) {
    fail(ExitCode::input, "{}: is {} x {}, tiles on the diagonal are square", first.path, first.rows, first.cols);
  }
  open_all(*tiles);
  return {fmt::format("{}/{}-*.npy", directory, name),
          tiles->rows.total(),
          tiles->cols.total(),
          first.single,
          tiles->upper,
          [tiles](Range rows, Range cols, MatrixView<double> out) { read_tiles(*tiles, rows, cols, out); }};
}

}  // namespace stepwise
