#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "stepwise/h5/handle.hpp"
#include "stepwise/io/series_file.hpp"

namespace stepwise {

// A file that one process writes and others read meanwhile. All local. @throws Error(io) unless said otherwise.

/// A new file. @throws also when there is one.
[[nodiscard]] h5::Handle create_file(const std::string& name);

/// A file that nobody writes any more, also where a killed run has left the mark of a writer in it. Waits some seconds
/// for readers that are looking whether they may read.
[[nodiscard]] h5::Handle open_file_again(const std::string& name);

/// How a dataset that grows by `extents` with each record lies on disk: about 64 KiB a chunk, or 256 KiB of a record
/// that is larger.
[[nodiscard]] std::vector<hsize_t> chunk_of_records(const std::vector<hsize_t>& extents);

/// No less than a dataset takes.
[[nodiscard]] std::int64_t bytes_of(const FixedDataset& fixed);
/// How much longer the file becomes, at most, with this record, numbered from 0.
[[nodiscard]] std::int64_t bytes_of_record(const std::vector<hsize_t>& extents, std::int64_t record);

/// Without records.
void create_growing(hid_t file, const SeriesDataset& dataset, const std::string* dimension);
void create_fixed(hid_t file, const FixedDataset& dataset);

/// @throws Error(input) for a dataset that is missing, of another shape or kind, or has fewer records.
void compare_growing(hid_t file, const SeriesDataset& dataset, std::int64_t records);
/// The same of a fixed one. What it holds is not looked at.
void compare_fixed(hid_t file, const FixedDataset& dataset);

void cut_growing(hid_t file, const SeriesDataset& dataset, std::int64_t records);

/// Some entries, row-major.
void write_part(hid_t dataset, hid_t type, const std::vector<hsize_t>& start, const std::vector<hsize_t>& count,
                const void* data);

/// Makes room for record `at`, and writes it where it is numbers that this process has.
void append_entry(hid_t open, const SeriesDataset& dataset, hsize_t at, const DatasetValues& values);

/// Attributes, in the place of those of the same name.
void replace_attributes(hid_t file, const std::string& object, const Attributes& values);

}  // namespace stepwise
