#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/number_dataset.hpp"
#include "stepwise/core/matrix_view.hpp"
#include "stepwise/data/images.hpp"

// What the kinds of pairs in HDF5 files share.

namespace stepwise {

/// One sample in the file and the column it goes to.
struct Placement {
  std::int64_t row = 0;
  std::int64_t column = 0;
};

/// @throws Error(input) also for a directory, and for 0 pairs.
[[nodiscard]] h5::Handle open_pair_file(const std::string& path, std::int64_t pairs);

/// @throws Error(input) when there are no samples, or no numbers in them.
void require_samples(const NumberDataset& dataset);

/// The shape of a sample: channels first where there are three or more dimensions.
[[nodiscard]] ImageShape shape_of(const NumberDataset& dataset);
[[nodiscard]] std::span<const hsize_t> sample_dims(const NumberDataset& dataset);

/// How many of `available` to use. `asked`: -1 for all. @throws Error(input) naming `option`.
[[nodiscard]] std::int64_t choose_count(const std::string& path, const char* option, std::int64_t asked,
                                        std::int64_t available);

/// @throws Error(input) unless the dataset `name`, if there is one, has one number for each of `count` samples.
void check_labels(const h5::Handle& file, const std::string& path, const std::string& name, const char* samples,
                  std::int64_t count);

/// Reads the rows into their columns, each stretch of consecutive rows at once.
void read_placed(const NumberDataset& dataset, std::span<const Placement> placements, MatrixView<double> out);

/// The first `count` entries of the dataset `name`; empty where there is none.
[[nodiscard]] std::vector<std::int64_t> stored_labels(const std::string& path, const std::string& name,
                                                      std::int64_t count);

}  // namespace stepwise
