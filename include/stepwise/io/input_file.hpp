#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/core/matrix_view.hpp"
#include "stepwise/dist/block_vector.hpp"
#include "stepwise/dist/communicator.hpp"
#include "stepwise/dist/dist_matrix.hpp"
#include "stepwise/h5/handle.hpp"
#include "stepwise/io/hyperslab.hpp"
#include "stepwise/io/result_file.hpp"

namespace stepwise {

/// An HDF5 file that all ranks read, however many wrote it. Numbers come back bit by bit. Every member is collective,
/// and every failure is agreed on. @throws CollectiveError(input) for what is missing in the file or has another shape
/// or type, (io) when reading fails, (memory), (internal) for ranks that disagree on what to read; with the names of
/// file and dataset.
class InputFile {
 public:
  InputFile(const Communicator& comm, std::string path);
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  /// Whether there is a group or dataset at `name` ("/group/name").
  [[nodiscard]] bool contains(const std::string& name);
  /// Attributes of the group or dataset ("/" for the file), by name: texts, whole and real numbers.
  [[nodiscard]] Attributes attributes(const std::string& object);
  [[nodiscard]] std::vector<std::int64_t> extents(const std::string& name);

  /// A dataset of real or whole numbers, row-major, the same on every rank: read by rank 0.
  [[nodiscard]] std::vector<double> numbers(const std::string& name);
  [[nodiscard]] std::vector<std::int64_t> integers(const std::string& name);

  /// Rows `own` of an N x into.rows dataset, one into each column of `into`. Ranks may read any rows, also the same.
  void read_rows(const std::string& name, Range own, MatrixView<double> into);
  /// What ResultFile::write_views wrote: (views, n, width), as views x n samples numbered pair by pair.
  [[nodiscard]] BlockVector read_views(const std::string& name);
  /// What ResultFile::write_matrix wrote, on any grid and in any blocks. Memory per rank: 64 MiB, or one row of blocks.
  void read_matrix(const std::string& name, DistMatrix& into, StackedViews views = {});

  /// Bytes of datasets read so far, of all ranks.
  [[nodiscard]] std::int64_t bytes() const noexcept { return bytes_; }

 private:
  template <class T>
  std::vector<T> read_replicated(const std::string& name, H5T_class_t kind, hid_t type);
  [[nodiscard]] h5::Handle open_reals(const std::string& name, const std::vector<std::int64_t>& extents);

  const Communicator& comm_;
  std::string path_;
  h5::Handle file_;
  std::int64_t bytes_ = 0;
};

}  // namespace stepwise
