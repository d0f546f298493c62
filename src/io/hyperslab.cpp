#include "stepwise/io/hyperslab.hpp"

#include <algorithm>

namespace stepwise {

std::vector<Stripe> stripes(const BlockCyclic& map, std::int64_t proc, Range range) {
  const std::int64_t first = map.first_at_least(range.begin, proc);
  const std::int64_t count = map.first_at_least(range.end, proc) - first;
  const std::int64_t whole = count / map.block;
  const std::int64_t edge = count % map.block;
  const auto position = [&](std::int64_t local) { return value(map.to_global(Local{local}, proc)); };
  std::vector<Stripe> parts;
  if (whole > 0) parts.push_back({position(first), map.block * map.procs, whole, map.block});
  if (edge > 0) parts.push_back({position(first + whole * map.block), edge, 1, edge});
  return parts;
}

std::vector<Stripe> stacked_stripes(const BlockCyclic& map, std::int64_t proc, Range range, std::int64_t views) {
  const BlockCyclic pairs{map.n / views, map.block / views, map.procs};
  std::vector<Stripe> parts;
  for (std::int64_t view = 0; view < views; ++view) {
    for (Stripe part : stripes(pairs, proc, {range.begin / views, range.end / views})) {
      part.start += view * pairs.n;
      parts.push_back(part);
    }
  }
  return parts;
}

std::int64_t panel_rows(const BlockCyclic& rows, const BlockCyclic& cols, std::int64_t numbers) {
  const std::int64_t widest = std::max<std::int64_t>(cols.local_count(0), 1);
  const std::int64_t blocks = numbers / widest / rows.block;
  return blocks > 0 ? blocks * rows.block * rows.procs : rows.block;
}

}  // namespace stepwise
