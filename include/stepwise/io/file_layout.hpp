#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "stepwise/dist/communicator.hpp"
#include "stepwise/h5/handle.hpp"

namespace stepwise {

/// How a new HDF5 file lies on disk, and what MPI-IO is told about it. By default: contiguous datasets, one after the
/// other.
struct FileLayout {
  std::int64_t compression = 0;  ///< level of deflate, 1 to 9, for datasets of 1 MiB and more; 0: none
  std::int64_t alignment = 0;    ///< datasets of so many bytes and more begin at a multiple of it; 0: anywhere
  std::vector<std::pair<std::string, std::string>> hints;  ///< MPI_Info of the file: striping_factor, romio_cb_write
};

/// Reads "key=value,key=value"; "" is no hints. @throws Error(input) saying what is wrong with which part.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> parse_hints(const std::string& text);

/// @throws Error(input) where the HDF5 library cannot compress what several ranks write.
void require_parallel_compression();

/// Access for all ranks. Collective. @throws Error(io).
[[nodiscard]] h5::Handle file_access(const Communicator& comm, const FileLayout& layout);

/// Storage of a dataset of numbers of `type`: compressed in chunks (no larger than the dataset) where the layout asks
/// for it and there is enough, else contiguous. Local. @throws Error(io).
[[nodiscard]] h5::Handle dataset_storage(const FileLayout& layout, const std::vector<hsize_t>& extents,
                                         std::vector<hsize_t> chunk, hid_t type);

}  // namespace stepwise
