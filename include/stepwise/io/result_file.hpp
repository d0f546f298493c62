#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/dist/block_vector.hpp"
#include "stepwise/dist/communicator.hpp"
#include "stepwise/dist/dist_matrix.hpp"
#include "stepwise/h5/handle.hpp"
#include "stepwise/io/file_layout.hpp"
#include "stepwise/io/hyperslab.hpp"

namespace stepwise {

/// What a dataset carries besides its numbers. Scales name one dimension-scale dataset for each dimension, "" for none.
struct DatasetInfo {
  std::string path;         ///< "/group/name"; missing groups are created
  std::string units;        ///< "1" for a pure number
  std::string description;  ///< one sentence
  std::vector<std::string> scales;
};

/// A rows x cols matrix that nobody has whole: ranks take turns with `band` rows each.
struct MatrixBands {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t band = 1;
  bool single = false;  ///< stored in single precision
  /// Puts some rows, one after the other, into `out`. Local; may throw.
  std::function<void(Range rows, std::span<double> out)> read;
};

using AttributeValue = std::variant<std::string, std::int64_t, double>;
using Attributes = std::vector<std::pair<std::string, AttributeValue>>;

/// Checks that a result can be written at `path` before any work is done: the directory exists and takes new files,
/// nothing is in the way, or with `force` nothing but a regular file that is none of `inputs`. Where `path` is a
/// symbolic link, all this is about what it leads to. Removes what killed runs have left of it. Collective. @throws
/// CollectiveError(io) for the directory, (input) for what is in the way.
void check_output(const Communicator& comm, const std::string& path, bool force,
                  const std::vector<std::string>& inputs = {});

/// Checks that the disk of `path` has room for so many bytes, where the system can tell. Collective.
/// @throws CollectiveError(io) with what is needed and what is free.
void check_room(const Communicator& comm, const std::string& path, double bytes);

/// The attribute of every dataset of numbers that holds its checksum, 16 hexadecimal digits: the sum, modulo 2^64, of a
/// hash (core/hash.hpp) of every number and its place, which does not depend on who wrote what.
inline constexpr const char* checksum_attribute = "checksum";

/// An HDF5 file being written by all ranks, under a temporary name in the target's directory. Only commit() gives it
/// its final name, so a file under that name is always whole; without commit() it is removed. Every member is
/// collective, and every failure is agreed on: a full disk is an error, and so are ranks that disagree on what to
/// write. Where numbers or attribute values differ, rank 0's count, and so do its path and force. @throws
/// CollectiveError(io), (internal) for ranks that disagree, shapes that do not fit the numbers, rows that are missing.
class ResultFile {
 public:
  /// @throws CollectiveError(io) when the file cannot be created.
  ResultFile(const Communicator& comm, std::string path, bool force, FileLayout layout = {});
  ResultFile(const ResultFile&) = delete;
  ResultFile& operator=(const ResultFile&) = delete;
  ~ResultFile();

  /// Attributes of the group or dataset at `object` ("/" for the file).
  void attributes(const std::string& object, const Attributes& values);

  /// A dataset that every rank has whole; rank 0 writes it. Row-major, product of `extents` values.
  void write(const DatasetInfo& info, const std::vector<hsize_t>& extents, std::span<const double> values);
  void write(const DatasetInfo& info, const std::vector<hsize_t>& extents, std::span<const std::int64_t> values);
  /// A one-dimensional dataset that is a dimension scale called `dimension`.
  void write_scale(const DatasetInfo& info, const std::string& dimension, std::span<const double> values);
  void write_scale(const DatasetInfo& info, const std::string& dimension, std::span<const std::int64_t> values);

  /// The same of texts, in UTF-8, as long as the longest.
  void write_names(const DatasetInfo& info, const std::string& dimension, const std::vector<std::string>& names);

  /// samples x width, each rank writing the rows `own`: one column of `values` each, which is not copied.
  void write_rows(const DatasetInfo& info, std::int64_t samples, Range own, MatrixView<const double> values);
  /// The same of a block vector.
  void write_samples(const DatasetInfo& info, const BlockVector& values);
  /// Training samples numbered pair by pair, `views` each, as (views, n, width): all first views, all second views, ...
  void write_views(const DatasetInfo& info, const BlockVector& values, std::int64_t views = 2);
  /// The same as (views n) x width, first views first.
  void write_stacked_views(const DatasetInfo& info, const BlockVector& values, std::int64_t views = 2);

  /// A block-cyclic matrix, row-major. Where its rows or columns are samples numbered view by view, `views` of each,
  /// the dataset has all first views, then all second ones, and so on. Memory per rank: 64 MiB, or one row of blocks
  /// where that is more.
  void write_matrix(const DatasetInfo& info, const DistMatrix& matrix, StackedViews views = {});

  /// A matrix in parts. Memory per rank: 8 (in single precision 12) band cols bytes.
  void write_bands(const DatasetInfo& info, const MatrixBands& matrix);

  /// rows x cols in turns that together are all rows: `make` is collective and returns the rows of a turn, dealt out
  /// over the ranks. Memory per rank: what it returns.
  void write_turns(const DatasetInfo& info, std::int64_t rows, std::int64_t cols, const std::vector<Range>& turns,
                   const std::function<BlockVector(Range)>& make);

  /// Bytes of datasets written so far, of all ranks, before compression.
  [[nodiscard]] std::int64_t bytes() const noexcept { return bytes_; }

  /// Flushes, closes, reopens for a look, syncs to disk and renames. Returns the file's size in bytes.
  /// @throws CollectiveError(input) also when something else has taken the name meanwhile.
  std::int64_t commit();

 private:
  template <class T>
  void write_replicated(const DatasetInfo& info, const std::vector<hsize_t>& extents, std::span<const T> values,
                        const std::string* dimension);
  struct Selection;
  /// A dataset that nothing is written to yet.
  void create(const DatasetInfo& info, const std::vector<hsize_t>& extents, hid_t type,
              const std::vector<hsize_t>& chunk = {});
  /// Of a compressed dataset whose rows are dealt out in ranges.
  [[nodiscard]] hsize_t rows_in_chunk(std::int64_t samples, std::int64_t width) const;
  [[nodiscard]] h5::Handle open_created(const DatasetInfo& info) const;
  /// Notes the checksum of a dataset, given this rank's part of it. Collective.
  void seal(const DatasetInfo& info, std::uint64_t part);
  void write_selection(const DatasetInfo& info, const std::vector<hsize_t>& extents, hid_t type, const void* data,
                       const Selection& selection, const std::string* dimension,
                       const std::vector<hsize_t>& chunk = {});

  const Communicator& comm_;
  std::string path_;
  std::string target_;  // path_ without symbolic links, on rank 0
  std::string partial_;
  bool force_;
  h5::Handle file_;
  FileLayout layout_;
  std::int64_t bytes_ = 0;          // of datasets, before compression
  std::int64_t padding_ = 1 << 20;  // for metadata and alignment
};

}  // namespace stepwise
