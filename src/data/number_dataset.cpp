#include "data/number_dataset.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

/// Chunks up to this size are decompressed once, even where samples are read in several runs.
constexpr std::size_t chunk_cache_bytes = std::size_t{32} << 20;
constexpr std::size_t chunk_cache_slots = 12421;

const char* class_name(H5T_class_t type) {
  switch (type) {
    case H5T_STRING:
      return "string";
    case H5T_COMPOUND:
      return "compound (complex numbers are stored so)";
    case H5T_ENUM:
      return "enumeration (truth values are stored so)";
    case H5T_REFERENCE:
      return "reference";
    case H5T_BITFIELD:
      return "bit field";
    case H5T_OPAQUE:
      return "opaque";
    case H5T_VLEN:
      return "variable-length";
    case H5T_ARRAY:
      return "array";
    case H5T_TIME:
      return "time";
    default:
      return "unknown";
  }
}

void read_selected(const NumberDataset& dataset, Range range, hid_t type, void* out) {
  const std::string what =
      fmt::format("reading rows {} to {} of {} in {}", range.begin, range.end - 1, dataset.name, dataset.file);
  std::vector<hsize_t> start(dataset.dims.size(), 0);
  std::vector<hsize_t> count = dataset.dims;
  start.front() = static_cast<hsize_t>(range.begin);
  count.front() = static_cast<hsize_t>(range.size());
  const h5::Handle stored(H5Dget_space(dataset.id), H5Sclose, what);
  h5::check(H5Sselect_hyperslab(stored, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr), what);
  const auto numbers = static_cast<hsize_t>(range.size()) * static_cast<hsize_t>(dataset.row_size());
  const h5::Handle memory(H5Screate_simple(1, &numbers, nullptr), H5Sclose, what);
  h5::check(H5Dread(dataset.id, type, memory, stored, H5P_DEFAULT, out), what);
}

}  // namespace

std::int64_t NumberDataset::row_size() const {
  return static_cast<std::int64_t>(std::accumulate(dims.begin() + 1, dims.end(), hsize_t{1}, std::multiplies<>()));
}

std::string format_shape(std::span<const hsize_t> dims) {
  return dims.size() == 1 ? fmt::format("({},)", dims.front()) : fmt::format("({})", fmt::join(dims, ", "));
}

bool has_dataset(const h5::Handle& file, const std::string& path, const std::string& name) {
  const htri_t found = H5Lexists(file, name.c_str(), H5P_DEFAULT);
  h5::check(found, fmt::format("looking for {} in {}", name, path));
  return found > 0;
}

NumberDataset open_numbers(const h5::Handle& file, const std::string& path, const std::string& name) {
  if (!has_dataset(file, path, name)) fail(ExitCode::input, "{}: has no dataset {}", path, name);
  const h5::Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose, "creating access properties");
  h5::check(H5Pset_chunk_cache(access, chunk_cache_slots, chunk_cache_bytes, 1.0), "setting the chunk cache");
  const hid_t id = H5Dopen2(file, name.c_str(), access);
  if (id < 0) fail(ExitCode::input, "{}: {} cannot be opened as a dataset: {}", path, name, h5::reason());
  NumberDataset dataset{path, name, h5::Handle(id, H5Dclose, "opening a dataset"), {}, false};
  const h5::Handle type(H5Dget_type(dataset.id), H5Tclose, "asking for a dataset's type");
  const H5T_class_t type_class = H5Tget_class(type);
  if (type_class != H5T_INTEGER && type_class != H5T_FLOAT) {
    fail(ExitCode::input, "{}: {} has type {}: store integers or floating-point numbers", path, name,
         class_name(type_class));
  }
  dataset.floating = type_class == H5T_FLOAT;
  dataset.dims = h5::extents(dataset.id);
  if (dataset.dims.empty()) fail(ExitCode::input, "{}: {} has no dimensions: the first one counts samples", path, name);
  return dataset;
}

void read_rows(const NumberDataset& dataset, Range range, std::span<double> out) {
  const std::int64_t row = dataset.row_size();
  if (std::ssize(out) != range.size() * row) {
    fail(ExitCode::internal, "{} numbers of {} read into {}", range.size() * row, dataset.name, out.size());
  }
  read_selected(dataset, range, H5T_NATIVE_DOUBLE, out.data());
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (std::isfinite(out[i])) continue;
    fail(ExitCode::input, "{}: {} holds {} in sample {} (counted from 0): remove or repair that sample", dataset.file,
         dataset.name, out[i], range.begin + static_cast<std::int64_t>(i) / row);
  }
}

std::vector<std::int64_t> read_labels(const NumberDataset& dataset, std::int64_t count) {
  constexpr double exact = 0x1p53;
  std::vector<std::int64_t> labels(static_cast<std::size_t>(count));
  if (count == 0) return labels;
  if (!dataset.floating) {
    const h5::Handle type(H5Dget_type(dataset.id), H5Tclose, "asking for the type of " + dataset.name);
    const bool is_signed = H5Tget_sign(type) != H5T_SGN_NONE;
    read_selected(dataset, {0, count}, is_signed ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64, labels.data());
    // An unsigned label that does not fit has become a negative number.
    const auto wrong = is_signed ? labels.end() : std::ranges::find_if(labels, [](auto label) { return label < 0; });
    if (wrong != labels.end()) {
      fail(ExitCode::input, "{}: {} holds {} for sample {} (counted from 0): labels go up to {}", dataset.file,
           dataset.name, static_cast<std::uint64_t>(*wrong), wrong - labels.begin(), INT64_MAX);
    }
    return labels;
  }
  std::vector<double> stored(labels.size());
  read_selected(dataset, {0, count}, H5T_NATIVE_DOUBLE, stored.data());
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (!(std::abs(stored[i]) <= exact) || stored[i] != std::trunc(stored[i])) {
      fail(ExitCode::input, "{}: {} holds {} for sample {} (counted from 0): labels are whole numbers", dataset.file,
           dataset.name, stored[i], i);
    }
    labels[i] = static_cast<std::int64_t>(stored[i]);
  }
  return labels;
}

}  // namespace stepwise
