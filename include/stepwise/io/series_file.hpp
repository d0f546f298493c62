#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "stepwise/dist/block_vector.hpp"
#include "stepwise/dist/communicator.hpp"
#include "stepwise/h5/handle.hpp"
#include "stepwise/io/result_file.hpp"

namespace stepwise {

/// What a dataset holds: numbers or texts that every rank has (rank 0's count), row-major; or samples dealt out over
/// the ranks, stored as (n, width), or view by view as (views, n, width).
using DatasetValues =
    std::variant<std::vector<double>, std::vector<std::int64_t>, std::vector<std::string>, const BlockVector*>;

/// A dataset that is written once.
struct FixedDataset {
  DatasetInfo info;
  std::vector<hsize_t> extents;
  DatasetValues values;
  std::string dimension;  ///< of a dimension scale, which has one dimension; "": it is none
};

/// What grows by one entry with every record of its series.
struct SeriesDataset {
  DatasetInfo info;              ///< with scales of all dimensions, the series' own first
  std::vector<hsize_t> extents;  ///< of one entry; {} for a number
  bool whole = false;            ///< whole numbers; else real ones
};

/// Datasets that grow together. The first, one number a record, is their dimension scale.
struct Series {
  std::string dimension;
  std::vector<SeriesDataset> datasets;
};

/// Attributes of some objects, "/" being the file.
using ObjectAttributes = std::vector<std::pair<std::string, Attributes>>;

/// All that a series file has while it grows: nothing can be added before its end.
struct SeriesLayout {
  std::vector<FixedDataset> fixed;
  std::vector<Series> series;  ///< their scales may refer to fixed datasets and to earlier ones
  ObjectAttributes attributes;
};

/// Checks before any work that a series can be written for `path`: check_output, and nothing under its partial name, or
/// with `force` a file. Collective. @throws CollectiveError(io), (input).
void check_series_output(const Communicator& comm, const std::string& path, bool force,
                         const std::vector<std::string>& inputs = {});

/// An HDF5 file of records under the name PATH.partial (where PATH is a symbolic link: of what it leads to), which
/// other programs read while it grows (HDF5's SWMR: one writer, many readers), and which is whole up to its last record
/// whatever ends the run. Rank 0 writes it, with the serial driver. A record is there when its entry in the dimension
/// scale is: other datasets of the series may be one longer. The attribute `status` is running, then what finish()
/// says; stopped where it is not called. Every member is collective, and every failure is agreed on. @throws
/// CollectiveError(io), (input) for names that are taken, (internal) for values that do not fit the layout.
class SeriesFile {
 public:
  /// Starts a file without records.
  SeriesFile(const Communicator& comm, const std::string& path, bool force, const SeriesLayout& layout);
  /// Goes on with the file of a run that was stopped or killed, of which it keeps the first counts[i] records of series
  /// i. @throws CollectiveError(input) for a file of another layout or with fewer records.
  SeriesFile(const Communicator& comm, const std::string& path, bool force, const SeriesLayout& layout,
             const std::vector<std::int64_t>& counts);
  SeriesFile(const SeriesFile&) = delete;
  SeriesFile& operator=(const SeriesFile&) = delete;
  ~SeriesFile();

  /// Adds one record, in the order of the series' datasets, which readers see from now on. Memory of rank 0: 2 MiB for
  /// values of all ranks.
  void append(std::size_t series, const std::vector<DatasetValues>& record);

  /// Records so far, by series. Local.
  [[nodiscard]] const std::vector<std::int64_t>& counts() const noexcept { return counts_; }
  /// Where the file is while it grows. Local.
  [[nodiscard]] const std::string& partial_path() const noexcept { return partial_; }

  /// Brings the records so far to disk: before a checkpoint that counts on them.
  void sync();

  /// Ends the file with attributes and datasets that were not known before. With the status complete it gets its final
  /// name; with another one (stopped, diverged) it stays where it is. Returns its size in bytes.
  std::int64_t finish(const std::string& status, const ObjectAttributes& attributes = {},
                      const std::vector<FixedDataset>& datasets = {});

 private:
  SeriesFile(const Communicator& comm, const std::string& path, bool force, std::vector<Series> series);
  void start();
  void write_fixed(const std::vector<FixedDataset>& datasets);
  void write_rows(hid_t dataset, const std::vector<hsize_t>& place, const std::vector<hsize_t>& extents,
                  const BlockVector& rows);
  void take_room(std::int64_t bytes);
  void check_values(const DatasetInfo& info, const std::vector<hsize_t>& extents, const DatasetValues& values);

  const Communicator& comm_;
  std::string path_;
  std::string target_;   // path_ without symbolic links
  std::string partial_;  // beside it
  std::string name_;     // where the file is now, on rank 0: hidden until readers can read it, then partial_
  bool force_;
  std::vector<Series> series_;
  std::vector<std::int64_t> counts_;
  h5::Handle file_;                                // on rank 0, as all that follows
  std::vector<std::vector<h5::Handle>> datasets_;  // by series
  std::uint64_t inode_ = 0;                        // of the file, which somebody may replace
  std::int64_t used_ = 0;                          // no less than the file's length
  std::int64_t reserved_ = 0;
};

}  // namespace stepwise
