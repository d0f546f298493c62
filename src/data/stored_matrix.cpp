#include "stepwise/data/stored_matrix.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <vector>

#include "data/flat_matrix.hpp"
#include "data/matrix_tiles.hpp"
#include "data/number_dataset.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/data/npy.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

/// HDF5 here is built without thread safety.
std::mutex& hdf5_mutex() {
  static std::mutex mutex;
  return mutex;
}

StoredMatrix flat(const FlatMatrix& matrix, const std::string& name) {
  const auto file = std::make_shared<const ReadFile>(matrix.path);
  return {
      name,
      matrix.rows,
      matrix.cols,
      matrix.single,
      false,
      [file, matrix](Range rows, Range cols, MatrixView<double> out) { read_part(*file, matrix, rows, cols, out); }};
}

/// A part of a dataset through HDF5: whatever its layout and filters. Of three dimensions the first two count rows.
void read_selected(const NumberDataset& dataset, Range rows, Range cols, MatrixView<double> out) {
  const std::lock_guard lock(hdf5_mutex());
  const std::string what = fmt::format("reading {} in {}", dataset.name, dataset.file);
  const h5::Handle stored(H5Dget_space(dataset.id), H5Sclose, what);
  const bool stacked = dataset.dims.size() == 3;
  const std::int64_t height = stacked ? static_cast<std::int64_t>(dataset.dims[1]) : rows.end;
  std::vector<double> by_rows;
  for (std::int64_t begin = rows.begin; begin < rows.end;) {
    const std::int64_t end = std::min(rows.end, (begin / height + 1) * height);
    std::vector<hsize_t> start{static_cast<hsize_t>(begin % height), static_cast<hsize_t>(cols.begin)};
    std::vector<hsize_t> count{static_cast<hsize_t>(end - begin), static_cast<hsize_t>(cols.size())};
    if (stacked) {
      start.insert(start.begin(), static_cast<hsize_t>(begin / height));
      count.insert(count.begin(), 1);
    }
    by_rows.resize(static_cast<std::size_t>((end - begin) * cols.size()));
    h5::check(H5Sselect_hyperslab(stored, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr), what);
    const auto numbers = static_cast<hsize_t>(by_rows.size());
    const h5::Handle memory(H5Screate_simple(1, &numbers, nullptr), H5Sclose, what);
    h5::check(H5Dread(dataset.id, H5T_NATIVE_DOUBLE, memory, stored, H5P_DEFAULT, by_rows.data()), what);
    const double* from = by_rows.data();
    for (; begin < end; ++begin) {
      for (std::int64_t j = 0; j < out.cols; ++j) out(begin - rows.begin, j) = *from++;
    }
  }
}

std::int64_t rows_of(const NumberDataset& dataset) {
  return static_cast<std::int64_t>(dataset.dims.size() == 3 ? dataset.dims[0] * dataset.dims[1] : dataset.dims[0]);
}

/// A dataset whose numbers lie in the file one after the other needs no HDF5 to be read.
std::optional<FlatMatrix> as_flat(const NumberDataset& dataset, bool single, hid_t type) {
  const bool native = H5Tequal(type, H5T_IEEE_F64LE) > 0 || H5Tequal(type, H5T_IEEE_F32LE) > 0;
  const h5::Handle properties(H5Dget_create_plist(dataset.id), H5Pclose, "asking for a dataset's layout");
  const haddr_t offset = H5Dget_offset(dataset.id);
  if (!native || H5Pget_layout(properties) != H5D_CONTIGUOUS || offset == HADDR_UNDEF) return std::nullopt;
  const auto cols = static_cast<std::int64_t>(dataset.dims.back());
  return FlatMatrix{dataset.file, static_cast<std::int64_t>(offset), rows_of(dataset), cols, single, false};
}

/// What `stepwise kernel` says about its file; other files say nothing.
void require_pairs_of_two(const h5::Handle& file, const std::string& path) {
  constexpr const char* name = "views";
  if (H5Aexists(file, name) <= 0) return;
  const h5::Handle attribute(H5Aopen(file, name, H5P_DEFAULT), H5Aclose, "opening an attribute");
  std::int64_t views = 0;
  h5::check(H5Aread(attribute, H5T_NATIVE_INT64, &views), "reading an attribute");
  if (views != 2) {
    fail(ExitCode::input, "{}: has {} views of every sample, but stored kernels are read as pairs of two", path, views);
  }
}

/// Looking for a/b/c fails rather than answers where a/b is missing, so each step is looked for.
bool contains(const h5::Handle& file, const std::string& path, const std::string& name) {
  for (auto slash = name.find('/', 1); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    if (!has_dataset(file, path, name.substr(0, slash))) return false;
  }
  return has_dataset(file, path, name);
}

/// The dataset, of two dimensions or, where that is allowed, three.
SampleRows open_dataset(const h5::Handle& file, const std::string& path, const std::string& name, bool stacked) {
  if (!contains(file, path, name)) fail(ExitCode::input, "{}: has no dataset {}", path, name);
  auto dataset = std::make_shared<NumberDataset>(open_numbers(file, path, name));
  const std::string whole = fmt::format("{}:{}", path, name);
  const std::size_t dimensions = dataset->dims.size();
  if (dimensions != 2 && !(stacked && dimensions == 3)) {
    fail(ExitCode::input, "{}: has shape {}, {}", whole, format_shape(dataset->dims),
         stacked ? "must be (samples, width) or (views, n, width)" : "a matrix has two dimensions");
  }
  const h5::Handle type(H5Dget_type(dataset->id), H5Tclose, "asking for a dataset's type");
  const std::size_t size = H5Tget_size(type);
  if (!dataset->floating || (size != sizeof(float) && size != sizeof(double))) {
    fail(ExitCode::input, "{}: holds {} of {} bytes, must be float32 or float64: store array.astype('f8')", whole,
         dataset->floating ? "floating-point numbers" : "integers", size);
  }
  const std::int64_t views = dimensions == 3 ? static_cast<std::int64_t>(dataset->dims[0]) : 0;
  const bool single = size == sizeof(float);
  if (const auto matrix = as_flat(*dataset, single, type)) return {flat(*matrix, whole), views};
  return {{whole, rows_of(*dataset), static_cast<std::int64_t>(dataset->dims.back()), single, false,
           [dataset](Range rows, Range cols, MatrixView<double> out) {
             if (rows.size() > 0 && cols.size() > 0) read_selected(*dataset, rows, cols, out);
           }},
          views};
}

/// "FILE:/dataset" taken apart; no dataset where there is none or FILE:/dataset is itself the name of a file.
struct Place {
  std::string path;
  std::string dataset;
};

Place place_of(const std::string& text) {
  std::error_code ignored;
  const auto colon = text.rfind(":/");
  if (fs::exists(text, ignored) || colon == std::string::npos) return {text, ""};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

bool is_npy(const std::string& path) {
  constexpr std::string_view magic = "\x93NUMPY";
  std::string beginning(magic.size(), '\0');
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(ExitCode::input, "{}: cannot be opened: {}", path, std::strerror(errno));
  in.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
  return beginning == magic || path.ends_with(".npy");
}

StoredMatrix open_matrix(const std::string& text, const std::string& default_dataset, const std::string& tiles) {
  const Place place = place_of(text);
  std::error_code ignored;
  if (fs::is_directory(place.path, ignored)) return open_tiles(place.path, tiles);
  if (is_npy(place.path)) return flat(open_npy_matrix(place.path), place.path);
  const h5::Handle file = h5::open_for_reading(place.path);
  require_pairs_of_two(file, place.path);
  return open_dataset(file, place.path, place.dataset.empty() ? default_dataset : place.dataset, false).matrix;
}

constexpr const char* train_dataset = "/kernel/train";
constexpr const char* test_dataset = "/kernel/test";

}  // namespace

StoredMatrix open_kernel_matrix(const std::string& path, std::int64_t views) {
  StoredMatrix matrix = open_matrix(path, train_dataset, train_tiles);
  if (matrix.rows != matrix.cols) {
    fail(ExitCode::input, "{}: is {} x {}, a kernel matrix is square", matrix.name, matrix.rows, matrix.cols);
  }
  if (matrix.rows == 0) fail(ExitCode::input, "{}: is empty", matrix.name);
  if (matrix.rows % views != 0) {
    fail(ExitCode::input, "{}: is {} x {}, must be of {}: {} views of n pairs", matrix.name, matrix.rows, matrix.cols,
         views == 2 ? "even order 2n" : fmt::format("order {}n", views), views == 2 ? "both" : "all");
  }
  return matrix;
}

std::optional<StoredMatrix> open_test_kernel(const std::string& path, const std::string& test_path,
                                             std::int64_t order) {
  if (test_path.empty()) {
    const Place place = place_of(path);
    std::error_code ignored;
    if (fs::is_directory(place.path, ignored)) {
      if (!has_tiles(place.path, test_tiles)) return std::nullopt;
    } else if (is_npy(place.path)) {
      return std::nullopt;
    } else {
      const h5::Handle file = h5::open_for_reading(place.path);
      if (!has_dataset(file, place.path, "/kernel") || !has_dataset(file, place.path, test_dataset))
        return std::nullopt;
    }
  }
  StoredMatrix matrix = open_matrix(test_path.empty() ? place_of(path).path : test_path, test_dataset, test_tiles);
  if (matrix.cols != order) {
    fail(ExitCode::input,
         "{}: is {} x {}, must have a row for each test sample and {} columns, one for each training "
         "sample",
         matrix.name, matrix.rows, matrix.cols, order);
  }
  return matrix;
}

SampleRows open_sample_rows(const std::string& path, const std::vector<std::string>& datasets) {
  const Place place = place_of(path);
  std::error_code ignored;
  if (fs::is_directory(place.path, ignored)) fail(ExitCode::input, "{}: is a directory, not a file", place.path);
  if (is_npy(place.path)) {
    const std::vector<std::int64_t> shape = read_npy_header(place.path).shape;
    return {flat(open_npy_matrix(place.path, true), place.path), shape.size() == 3 ? shape.front() : 0};
  }
  const h5::Handle file = h5::open_for_reading(place.path);
  if (!place.dataset.empty()) return open_dataset(file, place.path, place.dataset, true);
  for (const std::string& name : datasets) {
    if (contains(file, place.path, name)) return open_dataset(file, place.path, name, true);
  }
  fail(ExitCode::input, "{}: has no dataset {}: name one, {}:/path/to/dataset", place.path, fmt::join(datasets, " or "),
       place.path);
}

}  // namespace stepwise
