#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/h5/handle.hpp"

namespace stepwise {

/// A dataset of integers or floating-point numbers, open for reading; rows are its first dimension.
struct NumberDataset {
  std::string file;
  std::string name;
  h5::Handle id;
  std::vector<hsize_t> dims;
  bool floating = false;

  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(dims.front()); }
  [[nodiscard]] std::int64_t row_size() const;
};

[[nodiscard]] bool has_dataset(const h5::Handle& file, const std::string& path, const std::string& name);

/// @throws Error(input) when it is missing, not a dataset, of another type than numbers, or without dimensions.
[[nodiscard]] NumberDataset open_numbers(const h5::Handle& file, const std::string& path, const std::string& name);

/// Reads rows [range.begin, range.end), converted to double, one after the other.
/// @throws Error(io) when reading fails, Error(input) for NaN or Inf.
void read_rows(const NumberDataset& dataset, Range range, std::span<double> out);

/// Reads the first `count` entries of a one-dimensional dataset.
/// @throws Error(input) when an entry does not fit, or a floating-point entry is not a whole number.
[[nodiscard]] std::vector<std::int64_t> read_labels(const NumberDataset& dataset, std::int64_t count);

/// "(10, 3, 32, 32)".
[[nodiscard]] std::string format_shape(std::span<const hsize_t> dims);

}  // namespace stepwise
