#include "stepwise/io/contents.hpp"

#include <fmt/format.h>
#include <hdf5_hl.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <optional>

#include "io/checksum.hpp"
#include "stepwise/core/index.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

std::string type_of(hid_t type) {
  const auto bits = 8 * H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_FLOAT:
      return fmt::format("float{}", bits);
    case H5T_INTEGER:
      return fmt::format("{}int{}", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "", bits);
    case H5T_STRING:
      return "text";
    default:
      return "other";
  }
}

/// A text or number; nothing else has a place in Attributes. Texts that end where they are as long as their type do so.
std::optional<AttributeValue> attribute_value(hid_t object, const std::string& name) {
  const h5::Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, "opening attribute " + name);
  const h5::Handle type(H5Aget_type(attribute), H5Tclose, "asking for a type");
  const h5::Handle space(H5Aget_space(attribute), H5Sclose, "asking for a shape");
  if (H5Sget_simple_extent_npoints(space) != 1) return std::nullopt;
  const std::string reading = "reading attribute " + name;
  const std::string kind = type_of(type);
  if (kind == "text" && H5Tis_variable_str(type) > 0) {
    char* data = nullptr;
    h5::check(H5Aread(attribute, type, static_cast<void*>(&data)), reading);
    std::string text = data == nullptr ? "" : data;
    h5::check(H5free_memory(data), "freeing a text");
    return text;
  }
  if (kind == "text") {
    std::string text(H5Tget_size(type), '\0');
    h5::check(H5Aread(attribute, type, text.data()), reading);
    text.resize(std::min(text.size(), text.find('\0')));
    return text;
  }
  if (kind.find("int") != std::string::npos) {
    std::int64_t number = 0;
    h5::check(H5Aread(attribute, H5T_NATIVE_INT64, &number), reading);
    return number;
  }
  if (!kind.starts_with("float")) return std::nullopt;
  double number = 0;
  h5::check(H5Aread(attribute, H5T_NATIVE_DOUBLE, &number), reading);
  return number;
}

Attributes attributes_of(hid_t object) {
  std::vector<std::string> names;
  const auto visit = [](hid_t, const char* name, const H5A_info_t*, void* data) -> herr_t {
    static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  };
  h5::check(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, visit, &names), "listing attributes");
  Attributes values;
  for (const std::string& name : names) {
    if (auto value = attribute_value(object, name)) values.emplace_back(name, std::move(*value));
  }
  return values;
}

std::string text_of(const Attributes& attributes, const std::string& name) {
  for (const auto& [key, value] : attributes) {
    if (key == name && std::holds_alternative<std::string>(value)) return std::get<std::string>(value);
  }
  return "";
}

/// Name and length of the first scale of a dimension.
std::pair<std::string, std::int64_t> scale_of(hid_t dataset, unsigned dimension) {
  std::pair<std::string, std::int64_t> found{"", -1};
  if (H5DSget_num_scales(dataset, dimension) < 1) return found;
  const auto visit = [](hid_t, unsigned, hid_t scale, void* data) -> herr_t {
    auto& [name, length] = *static_cast<std::pair<std::string, std::int64_t>*>(data);
    std::string text(256, '\0');
    const ssize_t size = H5DSget_scale_name(scale, text.data(), text.size());
    name = text.substr(0, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    const hid_t space = H5Dget_space(scale);
    length = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    return 1;  // the first will do
  };
  h5::check(H5DSiterate_scales(dataset, dimension, nullptr, visit, &found), "listing dimension scales");
  return found;
}

DatasetEntry describe(hid_t dataset, const std::string& path) {
  DatasetEntry entry;
  entry.path = path;
  const h5::Handle type(H5Dget_type(dataset), H5Tclose, "asking for a type");
  const h5::Handle space(H5Dget_space(dataset), H5Sclose, "asking for a shape");
  std::vector<hsize_t> dims(static_cast<std::size_t>(std::max(H5Sget_simple_extent_ndims(space), 0)));
  if (!dims.empty()) (void)H5Sget_simple_extent_dims(space, dims.data(), nullptr);
  entry.type = type_of(type);
  entry.extents.assign(dims.begin(), dims.end());
  entry.is_scale = H5DSis_scale(dataset) > 0;
  for (unsigned i = 0; !entry.is_scale && i < dims.size(); ++i) {
    auto [name, length] = scale_of(dataset, i);
    entry.dimensions.push_back(std::move(name));
    entry.scales.push_back(length);
  }
  const Attributes attributes = attributes_of(dataset);
  entry.units = text_of(attributes, "units");
  entry.description = text_of(attributes, "description");
  entry.checksum = text_of(attributes, checksum_attribute);
  return entry;
}

/// Everything below a group. Where an object lies in the file tells one that has several names.
void list(hid_t group, const std::string& prefix, std::map<haddr_t, DatasetEntry>& found) {
  H5G_info_t info;
  h5::check(H5Gget_info(group, &info), "listing " + prefix);
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    const auto by_name = [&](char* out, std::size_t size) {
      return H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, out, size, H5P_DEFAULT);
    };
    const ssize_t length = by_name(nullptr, 0);
    if (length < 0) fail(ExitCode::io, "{}: its contents cannot be listed", prefix);
    std::string name(static_cast<std::size_t>(length) + 1, '\0');
    (void)by_name(name.data(), name.size());
    name.pop_back();
    const h5::Handle object(H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose, "opening " + prefix + name);
    const std::string path = prefix + name;
    if (H5Iget_type(object) == H5I_GROUP) list(object, path + "/", found);
    if (H5Iget_type(object) != H5I_DATASET) continue;
    H5O_info_t where;
    h5::check(H5Oget_info(object, &where), "asking where " + path + " is");
    const auto known = found.find(where.addr);
    if (known == found.end()) {
      found.emplace(where.addr, describe(object, path));
    } else if (path.size() < known->second.path.size()) {
      known->second.path = path;
    }
  }
}

std::int64_t product(const std::vector<std::int64_t>& extents, std::size_t from) {
  return std::accumulate(extents.begin() + static_cast<std::ptrdiff_t>(from), extents.end(), std::int64_t{1},
                         std::multiplies<>());
}

template <class T>
std::uint64_t hash_rows(hid_t dataset, hid_t type, const DatasetEntry& entry, Range rows) {
  constexpr std::int64_t most_numbers = std::int64_t{1} << 22;
  const std::int64_t width = product(entry.extents, 1);
  const std::int64_t at_once = std::max<std::int64_t>(most_numbers / std::max<std::int64_t>(width, 1), 1);
  std::uint64_t total = 0;
  std::vector<T> values;
  for (std::int64_t begin = rows.begin; begin < rows.end && width > 0; begin += at_once) {
    const std::int64_t count = std::min(at_once, rows.end - begin);
    values.resize(static_cast<std::size_t>(count * width));
    std::vector<hsize_t> start(entry.extents.size(), 0);
    std::vector<hsize_t> size(entry.extents.begin(), entry.extents.end());
    start.front() = static_cast<hsize_t>(begin);
    size.front() = static_cast<hsize_t>(count);
    const h5::Handle file(H5Dget_space(dataset), H5Sclose, "asking for a shape");
    h5::check(H5Sselect_hyperslab(file, H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr), "selecting rows");
    const auto numbers = static_cast<hsize_t>(values.size());
    const h5::Handle memory(H5Screate_simple(1, &numbers, nullptr), H5Sclose, "shaping memory");
    h5::check(H5Dread(dataset, type, memory, file, H5P_DEFAULT, values.data()), "reading " + entry.path);
    total += hash_run(begin * width, std::span<const T>(values));
  }
  return total;
}

template <class T>
std::uint64_t hash_part(hid_t dataset, hid_t type, const DatasetEntry& entry, const Communicator& comm) {
  if (!entry.extents.empty()) {
    return hash_rows<T>(dataset, type, entry, even_share(entry.extents.front(), comm.size(), comm.rank()));
  }
  T value{};
  if (comm.rank() != 0) return 0;
  h5::check(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value), "reading " + entry.path);
  return hash_run(0, std::span<const T>(&value, 1));
}

}  // namespace

FileContents read_contents(const std::string& path) {
  h5::silence_errors();
  const h5::Handle file = h5::open_for_reading(path);
  const h5::Handle root(H5Gopen2(file, "/", H5P_DEFAULT), H5Gclose, "opening the root group of " + path);
  FileContents contents{attributes_of(root), {}};
  std::map<haddr_t, DatasetEntry> found;
  list(root, "/", found);
  for (auto& [address, entry] : found) contents.datasets.push_back(std::move(entry));
  std::ranges::sort(contents.datasets, {}, &DatasetEntry::path);
  return contents;
}

std::string dataset_checksum(const Communicator& comm, const std::string& path, const DatasetEntry& entry) {
  std::uint64_t total = attempt(comm, [&] {
    const h5::Handle file = h5::open_for_reading(path);
    const h5::Handle dataset(H5Dopen2(file, entry.path.c_str(), H5P_DEFAULT), H5Dclose, "opening " + entry.path);
    if (entry.type == "float64") return hash_part<double>(dataset, H5T_NATIVE_DOUBLE, entry, comm);
    if (entry.type == "float32") return hash_part<float>(dataset, H5T_NATIVE_FLOAT, entry, comm);
    return hash_part<std::int64_t>(dataset, H5T_NATIVE_INT64, entry, comm);
  });
  MPI_Allreduce(MPI_IN_PLACE, &total, 1, MPI_UINT64_T, MPI_SUM, comm.raw());
  return fmt::format("{:016x}", total);
}

}  // namespace stepwise
