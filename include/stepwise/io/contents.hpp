#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stepwise/dist/communicator.hpp"
#include "stepwise/io/result_file.hpp"

namespace stepwise {

/// A dataset as its file describes it.
struct DatasetEntry {
  std::string path;
  std::string type;                     ///< "float64", "int64", "text", "other"
  std::vector<std::int64_t> extents;    ///< none: a scalar
  std::vector<std::string> dimensions;  ///< names of the scales, "" where there is none
  std::vector<std::int64_t> scales;     ///< how long these are, -1 where there is none
  bool is_scale = false;
  std::string units;
  std::string description;
  std::string checksum;  ///< "" where there is none
};

/// What is in an HDF5 file.
struct FileContents {
  Attributes attributes;               ///< of the file: texts and numbers; others are left out
  std::vector<DatasetEntry> datasets;  ///< by path; one that has several names under its shortest
};

/// Local. @throws Error(input) when it cannot be opened, (io) when it is damaged.
[[nodiscard]] FileContents read_contents(const std::string& path);

/// The checksum of a dataset of numbers, from the numbers themselves: checksum_attribute, if the file is whole. Each
/// rank reads a part. Collective. @throws CollectiveError(io). Memory per rank: 32 MiB, or one row.
[[nodiscard]] std::string dataset_checksum(const Communicator& comm, const std::string& path,
                                           const DatasetEntry& entry);

}  // namespace stepwise
