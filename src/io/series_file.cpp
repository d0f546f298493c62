#include "stepwise/io/series_file.hpp"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <numeric>

#include "io/checks.hpp"
#include "io/gather.hpp"
#include "io/output_name.hpp"
#include "io/serial_file.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {

namespace fs = std::filesystem;

namespace {

constexpr const char* status_name = "status";
constexpr const char* complete = "complete";

std::string series_name(const std::string& target) {
  return target + ".partial";
}

void refuse_partial(const std::string& path, const std::string& partial, bool force) {
  const fs::file_status status = fs::symlink_status(partial);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    fail(ExitCode::input, "--output {}: {} exists and is not a regular file; choose another name", path, partial);
  }
  if (fs::exists(status) && !force) {
    fail(ExitCode::input,
         "--output {}: {} exists: the series of a run that was stopped or is under way; where it left a "
         "checkpoint go on with --restart, else remove it, or give --force to replace it",
         path, partial);
  }
}

/// Which file has this name. 0: none.
std::uint64_t inode_of(const std::string& name) {
  struct stat status {};
  return stat(name.c_str(), &status) == 0 ? status.st_ino : 0;
}

/// Samples in the order of the dataset: (views, n, width), or (n, width).
std::int64_t views_of(const std::vector<hsize_t>& extents) {
  return extents.size() == 3 ? static_cast<std::int64_t>(extents.front()) : 1;
}

hsize_t count_of(const DatasetValues& values) {
  if (const auto* reals = std::get_if<std::vector<double>>(&values)) return reals->size();
  if (const auto* whole = std::get_if<std::vector<std::int64_t>>(&values)) return whole->size();
  return std::get<std::vector<std::string>>(values).size();
}

void check_count(const std::string& path, const std::vector<hsize_t>& extents, hsize_t wanted, hsize_t found) {
  if (found == wanted) return;
  fail(ExitCode::internal, "{}: {} values for a shape of ({})", path, found, fmt::join(extents, ", "));
}

void check_kind(const SeriesDataset& dataset, const DatasetValues& values) {
  if (std::holds_alternative<std::vector<std::string>>(values) ||
      dataset.whole != std::holds_alternative<std::vector<std::int64_t>>(values)) {
    fail(ExitCode::internal, "{}: values of another kind", dataset.info.path);
  }
}

std::int64_t size_of(hid_t file) {
  hsize_t bytes = 0;
  h5::check(H5Fget_filesize(file, &bytes), "asking for a file's length");
  return static_cast<std::int64_t>(bytes);
}

std::string summary(const SeriesLayout& layout) {
  std::string text;
  for (const FixedDataset& fixed : layout.fixed) text += fmt::format("{} {}, ", fixed.info.path, fixed.values.index());
  for (const Series& series : layout.series) {
    for (const SeriesDataset& growing : series.datasets) text += growing.info.path + ", ";
  }
  return text;
}

}  // namespace

void check_series_output(const Communicator& comm, const std::string& path, bool force,
                         const std::vector<std::string>& inputs) {
  check_output(comm, path, force, inputs);
  attempt_on_root(comm, [&] { refuse_partial(path, series_name(target_of(path)), force); });
}

SeriesFile::SeriesFile(const Communicator& comm, const std::string& path, bool force, std::vector<Series> series)
    : comm_(comm), path_(path), force_(force), series_(std::move(series)), counts_(series_.size()) {
  attempt_on_root(comm_, [&] { target_ = target_of(path_); });
  target_ = broadcast(comm_, target_);
  partial_ = series_name(target_);
}

SeriesFile::SeriesFile(const Communicator& comm, const std::string& path, bool force, const SeriesLayout& layout)
    : SeriesFile(comm, path, force, layout.series) {
  expect_same(comm_, summary(layout));
  // Hidden until there is a writer that readers can read along with.
  name_ = broadcast(comm_, partial_name(target_));
  try {
    attempt_on_root(comm_, [&] {
      refuse_partial(path_, partial_, force_);
      file_ = create_file(name_);
      take_room(0);
    });
    write_fixed(layout.fixed);
    attempt_on_root(comm_, [&] {
      for (const Series& grow : layout.series) {
        for (const SeriesDataset& growing : grow.datasets) {
          create_growing(file_, growing, &growing == grow.datasets.data() ? &grow.dimension : nullptr);
        }
      }
      for (const auto& [object, values] : layout.attributes) replace_attributes(file_, object, values);
      start();
      refuse_partial(path_, partial_, force_);  // somebody may have been faster
      if (rename(name_.c_str(), partial_.c_str()) != 0) {
        fail(ExitCode::io, "{}: cannot be renamed to {}: {}", name_, partial_, std::strerror(errno));
      }
      name_ = partial_;
    });
  } catch (...) {
    discard(comm_, name_);
    datasets_.clear();
    file_ = h5::Handle();
    throw;
  }
}

SeriesFile::SeriesFile(const Communicator& comm, const std::string& path, bool force, const SeriesLayout& layout,
                       const std::vector<std::int64_t>& counts)
    : SeriesFile(comm, path, force, layout.series) {
  expect_same(comm_, fmt::format("{} {}", summary(layout), fmt::join(counts, ", ")));
  attempt_on_root(comm_, [&] {
    if (counts.size() != series_.size()) {
      fail(ExitCode::input, "{}: {} series, but the checkpoint counts the records of {}", partial_, series_.size(),
           counts.size());
    }
    if (inode_of(partial_) == 0) {
      fail(ExitCode::input, "{}: {}; the checkpoint goes on with it", partial_, std::strerror(errno));
    }
    name_ = partial_;
    file_ = open_file_again(name_);
    // What a killed run wrote last may lie beyond the end that it has noted.
    h5::check(H5Fincrement_filesize(file_, 0), "finding the end of " + partial_);
    take_room(size_of(file_));
    try {
      for (const FixedDataset& fixed : layout.fixed) compare_fixed(file_, fixed);
      for (std::size_t i = 0; i < series_.size(); ++i) {
        for (const SeriesDataset& growing : series_[i].datasets) compare_growing(file_, growing, counts[i]);
      }
    } catch (const Error& error) {
      fail(error.code(), "{}: {}", partial_, error.what());
    }
    for (std::size_t i = 0; i < series_.size(); ++i) {
      for (const SeriesDataset& growing : series_[i].datasets) cut_growing(file_, growing, counts[i]);
    }
    start();
  });
  counts_ = counts;
}

SeriesFile::~SeriesFile() {
  if (file_.id() < 0) return;
  datasets_.clear();
  file_ = h5::Handle();
  try {
    file_ = open_file_again(partial_);
    replace_attributes(file_, "/", {{status_name, "stopped"}});
  } catch (const Error&) {  // there is an error already that the user hears of
  }
  file_ = h5::Handle();
}

void SeriesFile::start() {
  replace_attributes(file_, "/", {{status_name, "running"}});
  // SWMR begins with no object open.
  h5::check(H5Fstart_swmr_write(file_), "letting others read " + name_);
  for (const Series& series : series_) {
    datasets_.emplace_back();
    for (const SeriesDataset& growing : series.datasets) {
      datasets_.back().emplace_back(H5Dopen2(file_, growing.info.path.c_str(), H5P_DEFAULT), H5Dclose,
                                    "opening " + growing.info.path);
    }
  }
  inode_ = inode_of(name_);
  used_ = size_of(file_);
}

/// Before HDF5 writes anything: it does not survive a full disk. What is left after this is enough to close the file.
void SeriesFile::take_room(std::int64_t bytes) {
  constexpr std::int64_t spare = std::int64_t{1} << 20;  // for metadata
  const std::int64_t wanted = used_ + bytes + spare;
  if (wanted > reserved_) {
    reserve_beyond_end(path_, name_, wanted + spare);
    reserved_ = wanted + spare;
  }
  used_ += bytes;
}

void SeriesFile::check_values(const DatasetInfo& info, const std::vector<hsize_t>& extents,
                              const DatasetValues& values) {
  const auto wanted = std::accumulate(extents.begin(), extents.end(), hsize_t{1}, std::multiplies<>());
  const auto* rows = std::get_if<const BlockVector*>(&values);
  if (rows == nullptr) {
    attempt(comm_, [&] { check_count(info.path, extents, wanted, count_of(values)); });
    return;
  }
  const BlockVector& v = **rows;
  attempt(comm_, [&] {
    if (extents.size() < 2 || extents.size() > 3 || extents.back() != static_cast<hsize_t>(v.width)) {
      fail(ExitCode::internal, "{}: samples of {} numbers for a shape of ({})", info.path, v.width,
           fmt::join(extents, ", "));
    }
    check_count(info.path, extents, wanted, static_cast<hsize_t>(v.samples) * static_cast<hsize_t>(v.width));
  });
  check_share(comm_, info.path, v.samples, v.width, v.range, views_of(extents),
              v.width * v.range.size() == std::ssize(v.data));
}

void SeriesFile::write_rows(hid_t dataset, const std::vector<hsize_t>& place, const std::vector<hsize_t>& extents,
                            const BlockVector& rows) {
  const std::int64_t views = views_of(extents);
  gather_rows(comm_, rows, views, [&](Range range, MatrixView<const double> part) {
    std::vector<double> view(static_cast<std::size_t>(part.rows * part.cols / views));
    for (std::int64_t v = 0; v < views; ++v) {
      double* out = view.data();
      for (std::int64_t s = v; s < part.cols; s += views) out = std::copy_n(part.column(s), part.rows, out);
      std::vector<hsize_t> start = place;
      if (extents.size() == 3) start.push_back(static_cast<hsize_t>(v));
      std::vector<hsize_t> count(start.size(), 1);
      start.insert(start.end(), {static_cast<hsize_t>(range.begin / views), 0});
      count.insert(count.end(), {static_cast<hsize_t>(range.size() / views), extents.back()});
      write_part(dataset, H5T_NATIVE_DOUBLE, start, count, view.data());
    }
  });
}

void SeriesFile::write_fixed(const std::vector<FixedDataset>& datasets) {
  for (const FixedDataset& fixed : datasets) {
    check_values(fixed.info, fixed.extents, fixed.values);
    attempt_on_root(comm_, [&] {
      take_room(bytes_of(fixed));
      // A run that was stopped and went on ends twice.
      if (H5Lexists(file_, fixed.info.path.c_str(), H5P_DEFAULT) > 0) {
        h5::check(H5Ldelete(file_, fixed.info.path.c_str(), H5P_DEFAULT), "replacing " + fixed.info.path);
      }
      create_fixed(file_, fixed);
    });
    const auto* rows = std::get_if<const BlockVector*>(&fixed.values);
    if (rows == nullptr) continue;
    h5::Handle dataset;
    attempt_on_root(comm_, [&] {
      dataset =
          h5::Handle(H5Dopen2(file_, fixed.info.path.c_str(), H5P_DEFAULT), H5Dclose, "opening " + fixed.info.path);
    });
    write_rows(dataset, {}, fixed.extents, **rows);
  }
}

void SeriesFile::append(std::size_t series, const std::vector<DatasetValues>& record) {
  const std::vector<SeriesDataset>& datasets = series_.at(series).datasets;
  attempt(comm_, [&] {
    if (record.size() != datasets.size()) {
      fail(ExitCode::internal, "{}: {} entries for {} datasets", partial_, record.size(), datasets.size());
    }
    for (std::size_t i = 0; i < record.size(); ++i) check_kind(datasets[i], record[i]);
  });
  const auto at = static_cast<hsize_t>(counts_[series]);
  const auto write = [&](std::size_t i) { append_entry(datasets_[series][i], datasets[i], at, record[i]); };
  for (std::size_t i = 0; i < record.size(); ++i) check_values(datasets[i].info, datasets[i].extents, record[i]);
  attempt_on_root(comm_, [&] {
    std::int64_t bytes = 0;
    for (const SeriesDataset& dataset : datasets) bytes += bytes_of_record(dataset.extents, counts_[series]);
    take_room(bytes);
    for (std::size_t i = 1; i < record.size(); ++i) write(i);
  });
  for (std::size_t i = 1; i < record.size(); ++i) {
    const auto* rows = std::get_if<const BlockVector*>(&record[i]);
    if (rows == nullptr) continue;
    write_rows(comm_.rank() == 0 ? datasets_[series][i].id() : H5I_INVALID_HID, {at}, datasets[i].extents, **rows);
  }
  attempt_on_root(comm_, [&] {
    // The scale, which says that the record is there, must not come to disk before the rest.
    h5::check(H5Fflush(file_, H5F_SCOPE_LOCAL), "flushing " + partial_);
    write(0);
    h5::check(H5Dflush(datasets_[series][0]), "flushing " + partial_);
  });
  ++counts_[series];
}

void SeriesFile::sync() {
  attempt_on_root(comm_, [&] {
    h5::check(H5Fflush(file_, H5F_SCOPE_LOCAL), "flushing " + partial_);
    stepwise::sync(partial_, O_RDONLY);
  });
}

std::int64_t SeriesFile::finish(const std::string& status, const ObjectAttributes& attributes,
                                const std::vector<FixedDataset>& datasets) {
  attempt_on_root(comm_, [&] {
    datasets_.clear();
    file_.close("closing " + partial_);
    file_ = open_file_again(partial_);
  });
  write_fixed(datasets);
  std::int64_t size = 0;
  attempt_on_root(comm_, [&] {
    for (const auto& [object, values] : attributes) replace_attributes(file_, object, values);
    replace_attributes(file_, "/", {{status_name, status}});
    file_.close("closing " + partial_);
    size = static_cast<std::int64_t>(fs::file_size(partial_));
    fs::resize_file(partial_, fs::file_size(partial_));  // gives back what was reserved
    stepwise::sync(partial_, O_RDONLY);
    if (status != complete) return;
    if (inode_of(partial_) != inode_) {
      fail(ExitCode::io, "{}: has been replaced by another program meanwhile", partial_);
    }
    refuse_existing(path_, force_);  // somebody may have been faster
    if (rename(partial_.c_str(), target_.c_str()) != 0) {
      fail(ExitCode::io, "{}: cannot be renamed to {}: {}", partial_, target_, std::strerror(errno));
    }
    stepwise::sync(directory_of(target_), O_RDONLY | O_DIRECTORY);
  });
  return max(comm_, size);
}

}  // namespace stepwise
