#include "io/gather.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t numbers_at_once = std::int64_t{1} << 17;

}  // namespace

void gather_rows(const Communicator& comm, const BlockVector& values, std::int64_t group,
                 const std::function<void(Range rows, MatrixView<const double> part)>& visit) {
  const std::int64_t width = std::max<std::int64_t>(values.width, 1);
  const std::int64_t height = std::max<std::int64_t>(numbers_at_once / (width * group), 1) * group;
  const std::array<std::int64_t, 2> own{values.range.begin, values.range.end};
  std::vector<std::array<std::int64_t, 2>> ranges(comm.rank() == 0 ? static_cast<std::size_t>(comm.size()) : 0);
  MPI_Gather(own.data(), 2, MPI_INT64_T, ranges.data(), 2, MPI_INT64_T, 0, comm.raw());

  std::vector<double> received;
  attempt_on_root(comm, [&] { received.resize(static_cast<std::size_t>(height * width)); });
  if (comm.rank() != 0) {
    for (std::int64_t first = own[0]; first < own[1]; first += height) {
      const std::int64_t rows = std::min(height, own[1] - first);
      MPI_Send(values.data.data() + (first - own[0]) * values.width, narrow(rows * values.width, "a message's length"),
               MPI_DOUBLE, 0, 0, comm.raw());
    }
  }
  std::optional<Error> problem;  // where there is one the others' rows are received all the same: they wait for it
  for (int rank = 0; rank < std::ssize(ranges); ++rank) {
    const auto [begin, end] = ranges[static_cast<std::size_t>(rank)];
    for (std::int64_t first = begin; first < end; first += height) {
      const Range rows{first, std::min(first + height, end)};
      const double* part = rank == 0 ? values.data.data() + (first - begin) * values.width : received.data();
      if (rank != 0) {
        MPI_Recv(received.data(), narrow(rows.size() * values.width, "a message's length"), MPI_DOUBLE, rank, 0,
                 comm.raw(), MPI_STATUS_IGNORE);
      }
      try {
        if (!problem) visit(rows, {part, values.width, rows.size(), values.width});
      } catch (...) {
        problem = current_problem();
      }
    }
  }
  agree_with_root(comm, problem);
}

}  // namespace stepwise
