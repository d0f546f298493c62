#include "io/serial_file.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>

#include "io/described.hpp"

namespace stepwise {
namespace {

/// The version of HDF5's format that first allowed readers beside a writer; newer libraries must not go beyond it.
h5::Handle swmr_access() {
  h5::Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "preparing file access");
  h5::check(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110), "choosing the file version");
  return access;
}

h5::Handle simple_space(const std::vector<hsize_t>& extents, const std::vector<hsize_t>& most) {
  return {H5Screate_simple(static_cast<int>(extents.size()), extents.data(), most.data()), H5Sclose,
          "shaping a dataset"};
}

/// `dimension`: not null for a scale.
h5::Handle create_dataset(hid_t file, const DatasetInfo& info, hid_t type, hid_t space, hid_t storage,
                          const std::string* dimension) {
  const h5::Handle links = link_creation();
  h5::Handle dataset(H5Dcreate2(file, info.path.c_str(), type, space, links, storage, H5P_DEFAULT), H5Dclose,
                     "creating " + info.path);
  describe(file, dataset, info, dimension);
  return dataset;
}

std::vector<hsize_t> with_records(hsize_t records, const std::vector<hsize_t>& extents) {
  std::vector<hsize_t> shape{records};
  shape.insert(shape.end(), extents.begin(), extents.end());
  return shape;
}

h5::Handle open_alike(hid_t file, const DatasetInfo& info, H5T_class_t kind) {
  h5::Handle dataset;
  if (const hid_t id = H5Dopen2(file, info.path.c_str(), H5P_DEFAULT); id >= 0) {
    dataset = h5::Handle(id, H5Dclose, "opening " + info.path);
  } else {
    fail(ExitCode::input, "has no {}: it was written with other settings", info.path);
  }
  const h5::Handle type(H5Dget_type(dataset), H5Tclose, "asking for the type of " + info.path);
  if (H5Tget_class(type) != kind) fail(ExitCode::input, "{} has numbers of another kind", info.path);
  return dataset;
}

void expect_shape(const DatasetInfo& info, const std::vector<hsize_t>& found, const std::vector<hsize_t>& wanted) {
  if (found == wanted) return;
  fail(ExitCode::input, "{} has the shape ({}), expected ({}): it was written with other settings", info.path,
       fmt::join(found, ", "), fmt::join(wanted, ", "));
}

}  // namespace

h5::Handle create_file(const std::string& name) {
  h5::silence_errors();
  return {H5Fcreate(name.c_str(), H5F_ACC_EXCL, H5P_DEFAULT, swmr_access()), H5Fclose, "creating " + name};
}

h5::Handle open_file_again(const std::string& name) {
  using namespace std::chrono_literals;
  constexpr int trials = 100;
  h5::silence_errors();
  const h5::Handle access = swmr_access();
  const hbool_t clear = true;  // h5clear --status does the same
  h5::check(H5Pset(access, "clear_status_flags", &clear), "asking to clear the mark of a killed writer");
#if H5_VERSION_GE(1, 10, 7)
  // Readers of a growing file hold a lock that is meant for writers who are not aware of readers.
  h5::check(H5Pset_file_locking(access, false, true), "choosing not to lock");
#endif
  for (int trial = 1;; ++trial) {
    const hid_t file = H5Fopen(name.c_str(), H5F_ACC_RDWR, access);
    if (file >= 0) return {file, H5Fclose, "opening " + name};
    if (trial == trials || h5::reason().find("lock") == std::string::npos) {
      fail(ExitCode::io, "{}: HDF5 cannot open it for writing: {}", name, h5::reason());
    }
    std::this_thread::sleep_for(100ms);
  }
}

std::vector<hsize_t> chunk_of_records(const std::vector<hsize_t>& extents) {
  constexpr hsize_t small = 65'536 / sizeof(double);
  constexpr hsize_t large = 262'144 / sizeof(double);
  hsize_t numbers = 1;
  for (const hsize_t extent : extents) numbers *= std::max<hsize_t>(extent, 1);
  hsize_t room = numbers > small ? large : small;
  std::vector<hsize_t> chunk = with_records(std::numeric_limits<hsize_t>::max(), extents);
  for (std::size_t i = chunk.size(); i-- > 0;) {
    chunk[i] = std::clamp<hsize_t>(chunk[i], 1, room);
    room = std::max<hsize_t>(room / chunk[i], 1);
  }
  return chunk;
}

std::int64_t bytes_of(const FixedDataset& fixed) {
  constexpr std::size_t header = 4096;
  std::size_t bytes = sizeof(double);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&fixed.values)) {
    for (const std::string& line : *texts) bytes = std::max(bytes, line.size());
  }
  for (const hsize_t extent : fixed.extents) bytes *= extent;
  return static_cast<std::int64_t>(bytes + header);
}

std::int64_t bytes_of_record(const std::vector<hsize_t>& extents, std::int64_t record) {
  constexpr hsize_t index = 64;  // of each chunk, generously
  const std::vector<hsize_t> chunk = chunk_of_records(extents);
  if (static_cast<hsize_t>(record) % chunk.front() != 0) return 0;
  hsize_t chunks = 1;
  hsize_t bytes = sizeof(double) * chunk.front();
  for (std::size_t i = 0; i < extents.size(); ++i) {
    chunks *= (extents[i] + chunk[i + 1] - 1) / chunk[i + 1];
    bytes *= chunk[i + 1];
  }
  return static_cast<std::int64_t>(chunks * (bytes + index));
}

void create_growing(hid_t file, const SeriesDataset& dataset, const std::string* dimension) {
  const std::vector<hsize_t> chunk = chunk_of_records(dataset.extents);
  const h5::Handle storage(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "preparing a dataset");
  h5::check(H5Pset_chunk(storage, static_cast<int>(chunk.size()), chunk.data()), "choosing chunks");
  const h5::Handle space = simple_space(with_records(0, dataset.extents), with_records(H5S_UNLIMITED, dataset.extents));
  (void)create_dataset(file, dataset.info, dataset.whole ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE, space, storage,
                       dimension);
}

void create_fixed(hid_t file, const FixedDataset& fixed) {
  h5::Handle text;
  hid_t type = H5T_NATIVE_DOUBLE;
  if (std::holds_alternative<std::vector<std::int64_t>>(fixed.values)) type = H5T_NATIVE_INT64;
  std::string table;
  if (const auto* texts = std::get_if<std::vector<std::string>>(&fixed.values)) {
    std::size_t longest = 1;  // HDF5 has no empty texts
    for (const std::string& line : *texts) longest = std::max(longest, line.size());
    for (std::string line : *texts) {
      line.resize(longest, '\0');
      table += line;
    }
    text = text_type(longest);
    type = text;
  }
  const h5::Handle space = simple_space(fixed.extents, fixed.extents);
  const h5::Handle dataset =
      create_dataset(file, fixed.info, type, space, H5P_DEFAULT, fixed.dimension.empty() ? nullptr : &fixed.dimension);
  if (H5Sget_simple_extent_npoints(space) == 0 || std::holds_alternative<const BlockVector*>(fixed.values)) return;
  const void* data = table.data();
  if (const auto* reals = std::get_if<std::vector<double>>(&fixed.values)) data = reals->data();
  if (const auto* whole = std::get_if<std::vector<std::int64_t>>(&fixed.values)) data = whole->data();
  h5::check(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), "writing " + fixed.info.path);
}

void compare_growing(hid_t file, const SeriesDataset& dataset, std::int64_t records) {
  const h5::Handle open = open_alike(file, dataset.info, dataset.whole ? H5T_INTEGER : H5T_FLOAT);
  const std::vector<hsize_t> found = h5::extents(open);
  const hsize_t length = found.empty() ? 0 : found.front();
  expect_shape(dataset.info, found, with_records(length, dataset.extents));
  if (length < static_cast<hsize_t>(records)) {
    fail(ExitCode::input, "{} has {} records, fewer than the checkpoint's {}", dataset.info.path, length, records);
  }
}

void cut_growing(hid_t file, const SeriesDataset& dataset, std::int64_t records) {
  const h5::Handle open(H5Dopen2(file, dataset.info.path.c_str(), H5P_DEFAULT), H5Dclose,
                        "opening " + dataset.info.path);
  h5::check(H5Dset_extent(open, with_records(static_cast<hsize_t>(records), dataset.extents).data()),
            "cutting " + dataset.info.path);
}

void compare_fixed(hid_t file, const FixedDataset& fixed) {
  H5T_class_t kind = H5T_FLOAT;
  if (std::holds_alternative<std::vector<std::int64_t>>(fixed.values)) kind = H5T_INTEGER;
  if (std::holds_alternative<std::vector<std::string>>(fixed.values)) kind = H5T_STRING;
  expect_shape(fixed.info, h5::extents(open_alike(file, fixed.info, kind)), fixed.extents);
}

void write_part(hid_t dataset, hid_t type, const std::vector<hsize_t>& start, const std::vector<hsize_t>& count,
                const void* data) {
  const h5::Handle space(H5Dget_space(dataset), H5Sclose, "asking for a dataset's shape");
  h5::check(H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr),
            "selecting part of a dataset");
  const h5::Handle memory = simple_space(count, count);
  h5::check(H5Dwrite(dataset, type, memory, space, H5P_DEFAULT, data), "writing part of a dataset");
}

void append_entry(hid_t open, const SeriesDataset& dataset, hsize_t at, const DatasetValues& values) {
  std::vector<hsize_t> shape{at + 1};
  shape.insert(shape.end(), dataset.extents.begin(), dataset.extents.end());
  h5::check(H5Dset_extent(open, shape.data()), "extending " + dataset.info.path);
  std::vector<hsize_t> start(shape.size());
  start[0] = at;
  shape[0] = 1;
  if (const auto* reals = std::get_if<std::vector<double>>(&values)) {
    write_part(open, H5T_NATIVE_DOUBLE, start, shape, reals->data());
  } else if (const auto* whole = std::get_if<std::vector<std::int64_t>>(&values)) {
    write_part(open, H5T_NATIVE_INT64, start, shape, whole->data());
  }
}

void replace_attributes(hid_t file, const std::string& object, const Attributes& values) {
  const h5::Handle open(H5Oopen(file, object.c_str(), H5P_DEFAULT), H5Oclose, "opening " + object);
  for (const auto& [name, value] : values) {
    if (H5Aexists(open, name.c_str()) > 0) h5::check(H5Adelete(open, name.c_str()), "replacing attribute " + name);
    write_attribute(open, name, value);
  }
}

}  // namespace stepwise
