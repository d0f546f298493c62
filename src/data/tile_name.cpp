#include "stepwise/data/tile_name.hpp"

#include <fmt/format.h>

#include <charconv>

namespace stepwise {

std::string tile_file_name(const std::string& name, std::int64_t i, std::int64_t j) {
  return fmt::format("{}-{}-{}.npy", name, i, j);
}

std::optional<std::pair<std::int64_t, std::int64_t>> tile_place(const std::string& name, const std::string& file_name) {
  constexpr std::size_t most_digits = 9;
  const std::string before = fmt::format("{}-", name);
  if (!file_name.starts_with(before)) return std::nullopt;
  std::pair<std::int64_t, std::int64_t> place;
  const char* end = file_name.data() + file_name.size();
  const auto first = std::from_chars(file_name.data() + before.size(), end, place.first);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '-') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, place.second);
  if (second.ec != std::errc() || file_name.size() > before.size() + 2 * most_digits + 5) return std::nullopt;
  // Another spelling of the same numbers, such as 007, is another file.
  if (file_name != tile_file_name(name, place.first, place.second)) return std::nullopt;
  if (place.first < 0 || place.second < 0) return std::nullopt;
  return place;
}

}  // namespace stepwise
