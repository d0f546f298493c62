#pragma once

#include <cstdint>
#include <string>

#include "stepwise/dist/communicator.hpp"

namespace stepwise {

// The names that a result file has on its way, and the disk space below them. All local.

[[nodiscard]] std::string directory_of(const std::string& path);

/// Hidden, in the same directory (rename works within one file system only), and of this process on this host alone.
[[nodiscard]] std::string partial_name(const std::string& path);

/// What a chain of symbolic links ends in, whether it exists or not: that is replaced, and the links stay.
/// @throws Error(input) for a circle.
[[nodiscard]] std::string target_of(const std::string& path);

/// @throws Error(input) when `path` may not be replaced.
void refuse_existing(const std::string& path, bool force);

/// @throws Error(io).
void sync(const std::string& path, int flags);

/// Takes disk space for `partial` up to `bytes`. It must not be left to the writes: Open MPI's collective write can
/// lose a full disk on its way to the caller, and HDF5 writes metadata from several ranks, where one that fails leaves
/// the others waiting for it. HDF5 cuts the file to its length when it closes it. @throws Error(io) when there is no
/// room for `path`.
void reserve(const std::string& path, const std::string& partial, std::int64_t bytes);

/// The same without making the file longer: for one that others read. What is beyond its end is given back by
/// truncate().
void reserve_beyond_end(const std::string& path, const std::string& partial, std::int64_t bytes);

/// Rank 0, or a rank that fails alone, takes the file's name away, and its disk space: closing writes metadata, which
/// must not fail where the disk is full (see reserve).
void discard(const Communicator& comm, const std::string& path);

}  // namespace stepwise
