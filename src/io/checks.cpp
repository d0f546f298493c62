#include "io/checks.hpp"

#include <algorithm>

#include "io/transfer.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {

void expect_same(const Communicator& comm, const std::string& text) {
  const std::string first = broadcast(comm, text);
  attempt(comm, [&] {
    if (text != first) fail(ExitCode::internal, "ranks disagree: '{}' here, '{}' on rank 0", text, first);
  });
}

void check_share(const Communicator& comm, const std::string& path, std::int64_t samples, std::int64_t width, Range own,
                 std::int64_t group, bool fits) {
  expect_same(comm, fmt::format("{}: {} x {}", path, samples, width));
  const std::int64_t total = sum(comm, own.size());
  attempt(comm, [&] {
    if (own.begin < 0 || own.size() < 0 || own.end > samples || own.begin % group != 0 || own.end % group != 0 ||
        !fits || total != samples) {
      fail(ExitCode::internal, "{}: rows {} to {} do not fit into {} x {}, {} rows on all ranks{}", path, own.begin,
           own.end, samples, width, total, fits ? "" : ", or have another number of numbers");
    }
  });
}

void check_stacked(const std::string& path, const DistMatrix& matrix, StackedViews views) {
  const auto fits = [&](const BlockCyclic& map, std::int64_t count) {
    return count >= 1 && map.n % count == 0 && map.block % count == 0;
  };
  if (!fits(matrix.row_map(), views.rows) || (views.cols > 1 && !fits(matrix.col_map(), views.cols))) {
    fail(ExitCode::internal, "{}: {} x {} in blocks of {} are not whole samples of {} and {} views", path,
         matrix.rows(), matrix.cols(), matrix.block(), views.rows, views.cols);
  }
}

std::vector<Range> pieces(const Communicator& comm, Range own, std::int64_t width) {
  const std::int64_t height = std::max<std::int64_t>(numbers_per_transfer / std::max<std::int64_t>(width, 1), 1);
  std::vector<Range> parts(static_cast<std::size_t>(max(comm, ceil_div(own.size(), height))));
  std::int64_t begin = own.begin;
  for (Range& part : parts) {
    part = {begin, std::min(begin + height, own.end)};
    begin = part.end;
  }
  return parts;
}

}  // namespace stepwise
