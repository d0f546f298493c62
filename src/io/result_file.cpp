#include "stepwise/io/result_file.hpp"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <functional>
#include <numeric>
#include <optional>

#include "io/checks.hpp"
#include "io/checksum.hpp"
#include "io/described.hpp"
#include "io/output_name.hpp"
#include "stepwise/core/index.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {

/// The part of a dataset that this rank writes: one regular hyperslab, row-major in memory; no count: nothing. And its
/// part of the checksum, where there is one.
struct ResultFile::Selection {
  std::vector<hsize_t> start;
  std::vector<hsize_t> stride;
  std::vector<hsize_t> count;
  std::vector<hsize_t> block;
  std::optional<std::uint64_t> hash = {};
};

ResultFile::ResultFile(const Communicator& comm, std::string path, bool force, FileLayout layout)
    : comm_(comm), path_(std::move(path)), force_(force), layout_(std::move(layout)) {
  expect_same(comm_, fmt::format("compression {}, alignment {}, hints {}", layout_.compression, layout_.alignment,
                                 layout_.hints));
  attempt_on_root(comm_, [&] { target_ = target_of(path_); });
  partial_ = broadcast(comm_, partial_name(target_));
  try {
    attempt(comm_, [&] {
      h5::silence_errors();
      const h5::Handle access = file_access(comm_, layout_);
      file_ =
          h5::Handle(H5Fcreate(partial_.c_str(), H5F_ACC_EXCL, H5P_DEFAULT, access), H5Fclose, "creating " + partial_);
    });
  } catch (...) {
    discard(comm_, partial_);  // some ranks may have got it
    throw;
  }
}

ResultFile::~ResultFile() {
  if (file_.id() < 0) return;
  // Closing is collective. While this rank alone unwinds it would wait for the others for ever; the job is being
  // aborted.
  discard(comm_, partial_);
  if (std::uncaught_exceptions() > 0 && !unwinding_together()) {
    file_.release();
  } else {
    MPI_Barrier(comm_.raw());
    file_ = h5::Handle();
  }
}

void ResultFile::attributes(const std::string& object, const Attributes& values) {
  std::string kinds = "attributes of " + object + ":";
  for (const auto& [name, value] : values) kinds += fmt::format(" {} {},", name, value.index());
  expect_same(comm_, kinds);
  Attributes same = values;  // those of rank 0: a text of another length would be another file
  for (auto& [name, value] : same) {
    if (auto* text = std::get_if<std::string>(&value)) *text = broadcast(comm_, *text);
    if (auto* number = std::get_if<std::int64_t>(&value)) MPI_Bcast(number, 1, MPI_INT64_T, 0, comm_.raw());
    if (auto* number = std::get_if<double>(&value)) MPI_Bcast(number, 1, MPI_DOUBLE, 0, comm_.raw());
  }
  attempt(comm_, [&] {
    const h5::Handle target(H5Oopen(file_, object.c_str(), H5P_DEFAULT), H5Oclose, "opening " + object);
    for (const auto& [name, value] : same) write_attribute(target, name, value);
  });
}

void ResultFile::write_selection(const DatasetInfo& info, const std::vector<hsize_t>& extents, hid_t type,
                                 const void* data, const Selection& selection, const std::string* dimension,
                                 const std::vector<hsize_t>& chunk) {
  expect_same(comm_, fmt::format("{} [{}] of [{}], '{}', '{}', {}", info.path, fmt::join(extents, ", "),
                                 fmt::join(info.scales, ", "), info.units, info.description,
                                 dimension == nullptr ? "no scale" : *dimension));
  const auto numbers = std::accumulate(extents.begin(), extents.end(), hsize_t{1}, std::multiplies<>());
  bytes_ += static_cast<std::int64_t>(numbers * H5Tget_size(type));
  padding_ += layout_.alignment;
  attempt_on_root(comm_, [&] { reserve(path_, partial_, bytes_ + padding_); });
  attempt(comm_, [&] {
    const int rank = narrow(static_cast<std::int64_t>(extents.size()), "a number of dimensions");
    const h5::Handle space(H5Screate_simple(rank, extents.data(), nullptr), H5Sclose, "shaping " + info.path);
    const h5::Handle links = link_creation();
    const h5::Handle storage = dataset_storage(layout_, extents, chunk, type);
    const h5::Handle dataset(H5Dcreate2(file_, info.path.c_str(), type, space, links, storage, H5P_DEFAULT), H5Dclose,
                             "creating " + info.path);
    describe(file_, dataset, info, dimension);
    if (numbers == 0) return;  // HDF5 gives an empty dataset no address, and refuses to write there

    hsize_t elements = selection.count.empty() ? 0 : 1;
    for (std::size_t i = 0; i < selection.count.size(); ++i) elements *= selection.count[i] * selection.block[i];
    const hsize_t length = elements == 0 ? 1 : elements;
    const h5::Handle memory(H5Screate_simple(1, &length, nullptr), H5Sclose, "shaping memory");
    if (extents.empty()) {
      // A scalar has nothing to select from: all of it on rank 0, none elsewhere.
      if (comm_.rank() != 0) {
        h5::check(H5Sselect_none(space), "selecting nothing");
        h5::check(H5Sselect_none(memory), "selecting nothing");
      }
    } else if (elements == 0) {
      h5::check(H5Sselect_none(space), "selecting nothing");
      h5::check(H5Sselect_none(memory), "selecting nothing");
    } else {
      h5::check(H5Sselect_hyperslab(space, H5S_SELECT_SET, selection.start.data(), selection.stride.data(),
                                    selection.count.data(), selection.block.data()),
                "selecting part of " + info.path);
    }
    const h5::Handle transfer(H5Pcreate(H5P_DATASET_XFER), H5Pclose, "preparing a transfer");
    h5::check(H5Pset_dxpl_mpio(transfer, H5FD_MPIO_COLLECTIVE), "choosing collective transfer");
    h5::check(H5Dwrite(dataset, type, memory, space, transfer, data), "writing " + info.path);
  });
  if (selection.hash) seal(info, *selection.hash);
}

void ResultFile::seal(const DatasetInfo& info, std::uint64_t part) {
  MPI_Allreduce(MPI_IN_PLACE, &part, 1, MPI_UINT64_T, MPI_SUM, comm_.raw());
  attributes(info.path, {{checksum_attribute, fmt::format("{:016x}", part)}});
}

void ResultFile::create(const DatasetInfo& info, const std::vector<hsize_t>& extents, hid_t type,
                        const std::vector<hsize_t>& chunk) {
  write_selection(info, extents, type, nullptr, {}, nullptr, chunk);
}

hsize_t ResultFile::rows_in_chunk(std::int64_t samples, std::int64_t width) const {
  // A rank's rows or 1 MiB of them: few chunks have numbers of two ranks.
  constexpr std::int64_t numbers = std::int64_t{1} << 17;
  return static_cast<hsize_t>(std::min(ceil_div(samples, comm_.size()), numbers / std::max<std::int64_t>(width, 1)));
}

template <class T>
void ResultFile::write_replicated(const DatasetInfo& info, const std::vector<hsize_t>& extents,
                                  std::span<const T> values, const std::string* dimension) {
  attempt(comm_, [&] {
    const auto wanted = std::accumulate(extents.begin(), extents.end(), hsize_t{1}, std::multiplies<>());
    if (wanted != values.size()) {
      fail(ExitCode::internal, "{}: {} numbers for a shape of [{}]", info.path, values.size(),
           fmt::join(extents, ", "));
    }
  });
  Selection selection;
  selection.hash = 0;
  if (comm_.rank() == 0) {
    const std::vector<hsize_t> ones(extents.size(), 1);
    selection = {std::vector<hsize_t>(extents.size(), 0), ones, ones, extents, hash_run(0, values)};
    for (const hsize_t extent : extents) {
      if (extent == 0) selection.count.clear();
    }
  }
  write_selection(info, extents, native_type<T>(), values.data(), selection, dimension);
}

void ResultFile::write(const DatasetInfo& info, const std::vector<hsize_t>& extents, std::span<const double> values) {
  write_replicated(info, extents, values, nullptr);
}

void ResultFile::write(const DatasetInfo& info, const std::vector<hsize_t>& extents,
                       std::span<const std::int64_t> values) {
  write_replicated(info, extents, values, nullptr);
}

void ResultFile::write_scale(const DatasetInfo& info, const std::string& dimension, std::span<const double> values) {
  write_replicated(info, {values.size()}, values, &dimension);
}

void ResultFile::write_scale(const DatasetInfo& info, const std::string& dimension,
                             std::span<const std::int64_t> values) {
  write_replicated(info, {values.size()}, values, &dimension);
}

void ResultFile::write_names(const DatasetInfo& info, const std::string& dimension,
                             const std::vector<std::string>& names) {
  std::size_t longest = 1;  // HDF5 has no empty texts
  for (const std::string& name : names) longest = std::max(longest, name.size());
  const h5::Handle type = attempt(comm_, [&] { return text_type(longest); });
  std::string table;
  for (std::string name : names) {
    name.resize(longest, '\0');
    table += name;
  }
  Selection selection;
  if (comm_.rank() == 0 && !names.empty()) selection = {{0}, {1}, {1}, {names.size()}};
  write_selection(info, {names.size()}, type, table.data(), selection, &dimension);
}

namespace {

/// Collective. @throws CollectiveError(internal).
void check_rows(const Communicator& comm, const std::string& path, const BlockVector& values, std::int64_t group) {
  check_share(comm, path, values.samples, values.width, values.range, group,
              values.width * values.range.size() == std::ssize(values.data));
}

}  // namespace

void ResultFile::write_samples(const DatasetInfo& info, const BlockVector& values) {
  check_rows(comm_, info.path, values, 1);
  write_rows(info, values.samples, values.range, values.local());
}

namespace {

/// Checksum of stacked views: this rank has `count` numbers of each, one view's `distance` behind the other's.
std::uint64_t hash_views(const std::vector<double>& stacked, std::int64_t views, std::int64_t first,
                         std::int64_t distance) {
  const std::size_t count = stacked.size() / static_cast<std::size_t>(views);
  std::uint64_t total = 0;
  for (std::int64_t view = 0; view < views; ++view) {
    total +=
        hash_run(view * distance + first, std::span(stacked).subspan(static_cast<std::size_t>(view) * count, count));
  }
  return total;
}

/// Local part with all first views before all second views, and so on.
std::vector<double> stack_views(const BlockVector& values, std::int64_t views) {
  std::vector<double> stacked;
  stacked.reserve(values.data.size());
  const auto local = values.local();
  for (std::int64_t view = 0; view < views; ++view) {
    for (std::int64_t s = view; s < local.cols; s += views) {
      stacked.insert(stacked.end(), local.column(s), local.column(s) + local.rows);
    }
  }
  return stacked;
}

}  // namespace

void ResultFile::write_views(const DatasetInfo& info, const BlockVector& values, std::int64_t views) {
  check_rows(comm_, info.path, values, views);
  const auto width = static_cast<hsize_t>(values.width);
  const auto pairs = static_cast<hsize_t>(values.samples / views);
  const auto begin = static_cast<hsize_t>(values.range.begin / views);
  const auto size = static_cast<hsize_t>(values.range.size() / views);
  const std::vector<double> stacked = attempt(comm_, [&] { return stack_views(values, views); });
  const auto all = static_cast<hsize_t>(views);
  Selection selection;
  if (size > 0) selection = {{0, begin, 0}, {1, 1, 1}, {1, 1, 1}, {all, size, width}};
  selection.hash =
      hash_views(stacked, views, values.range.begin / views * values.width, values.samples / views * values.width);
  write_selection(info, {all, pairs, width}, H5T_NATIVE_DOUBLE, stacked.data(), selection, nullptr,
                  {1, rows_in_chunk(values.samples / views, values.width), width});
}

void ResultFile::write_stacked_views(const DatasetInfo& info, const BlockVector& values, std::int64_t views) {
  check_rows(comm_, info.path, values, views);
  const auto width = static_cast<hsize_t>(values.width);
  const auto pairs = static_cast<hsize_t>(values.samples / views);
  const auto begin = static_cast<hsize_t>(values.range.begin / views);
  const auto size = static_cast<hsize_t>(values.range.size() / views);
  const std::vector<double> stacked = attempt(comm_, [&] { return stack_views(values, views); });
  const auto all = static_cast<hsize_t>(views);
  Selection selection;
  if (size > 0) selection = {{begin, 0}, {pairs, 1}, {all, 1}, {size, width}};
  selection.hash =
      hash_views(stacked, views, values.range.begin / views * values.width, values.samples / views * values.width);
  write_selection(info, {all * pairs, width}, H5T_NATIVE_DOUBLE, stacked.data(), selection, nullptr,
                  {rows_in_chunk(values.samples / views, values.width), width});
}

std::int64_t ResultFile::commit() {
  attempt_on_root(comm_, [&] { reserve(path_, partial_, bytes_ + padding_); });
  attempt(comm_, [&] {
    h5::check(H5Fflush(file_, H5F_SCOPE_GLOBAL), "flushing " + partial_);
    const ssize_t open_objects = H5Fget_obj_count(file_, H5F_OBJ_ALL | H5F_OBJ_LOCAL);
    if (open_objects != 1) fail(ExitCode::internal, "{}: {} objects are open at its end", partial_, open_objects);
  });
  std::optional<Error> problem;
  try {
    file_.close("closing " + partial_);
  } catch (const Error& error) {
    problem = error;
  }
  std::int64_t size = 0;
  try {
    agree(comm_, problem);
    attempt_on_root(comm_, [&] {
      h5::open_for_reading(partial_).close("looking at " + partial_);
      sync(partial_, O_RDONLY);
      refuse_existing(path_, force_);  // somebody may have been faster
      struct stat status {};
      if (stat(partial_.c_str(), &status) != 0 || rename(partial_.c_str(), target_.c_str()) != 0) {
        fail(ExitCode::io, "{}: cannot be renamed to {}: {}", partial_, target_, std::strerror(errno));
      }
      size = status.st_size;
      sync(directory_of(target_), O_RDONLY | O_DIRECTORY);
    });
  } catch (const CollectiveError&) {
    if (comm_.rank() == 0) unlink(partial_.c_str());
    throw;
  }
  return max(comm_, size);
}

}  // namespace stepwise
