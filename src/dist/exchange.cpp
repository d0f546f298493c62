#include "stepwise/dist/exchange.hpp"

#include <algorithm>
#include <vector>

#include "stepwise/core/index.hpp"

namespace stepwise {
namespace {

std::vector<int> message_lengths(std::span<const std::int64_t> counts) {
  std::vector<int> lengths;
  for (const std::int64_t count : counts) lengths.push_back(narrow(count, "a message length"));
  return lengths;
}

}  // namespace

Communicator split(const Communicator& comm, int colour) {
  MPI_Comm part = MPI_COMM_NULL;
  MPI_Comm_split(comm.raw(), colour, comm.rank(), &part);
  Communicator result(part);
  MPI_Comm_free(&part);
  return result;
}

void gather(const Communicator& comm, std::span<const double> own, std::span<const std::int64_t> counts,
            std::span<double> all) {
  if (comm.size() == 1) {
    if (own.data() != all.data()) std::copy(own.begin(), own.end(), all.begin());
    return;
  }
  const std::vector<int> lengths = message_lengths(counts);
  const auto here = static_cast<std::size_t>(comm.rank());
  std::vector<int> places;
  std::int64_t place = 0;
  for (const int length : lengths) {
    places.push_back(narrow(place, "a message length"));
    place += length;
  }
  const bool in_place = own.data() == all.data() + places[here];
  MPI_Allgatherv(in_place ? MPI_IN_PLACE : own.data(), lengths[here], MPI_DOUBLE, all.data(), lengths.data(),
                 places.data(), MPI_DOUBLE, comm.raw());
}

void sum_and_deal(const Communicator& comm, std::span<const double> all, std::span<const std::int64_t> counts,
                  std::span<double> own) {
  if (comm.size() == 1) {
    std::copy(all.begin(), all.end(), own.begin());
    return;
  }
  const std::vector<int> lengths = message_lengths(counts);
  MPI_Reduce_scatter(all.data(), own.data(), lengths.data(), MPI_DOUBLE, MPI_SUM, comm.raw());
}

}  // namespace stepwise
