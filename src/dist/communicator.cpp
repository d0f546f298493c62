#include "stepwise/dist/communicator.hpp"

#include <algorithm>
#include <utility>

#include "stepwise/core/index.hpp"

namespace stepwise {
namespace {

constexpr std::size_t piece = std::size_t{1} << 28;  // elements per message: 2 GiB of doubles

template <class T, class Call>
void in_pieces(std::span<T> values, Call call) {
  for (std::size_t begin = 0; begin < values.size(); begin += piece) {
    const std::size_t count = std::min(piece, values.size() - begin);
    call(values.data() + begin, narrow(static_cast<std::int64_t>(count), "a message length"));
  }
}

template <class T>
T reduced(const Communicator& comm, T value, MPI_Datatype type, MPI_Op op) {
  MPI_Allreduce(MPI_IN_PLACE, &value, 1, type, op, comm.raw());
  return value;
}

}  // namespace

// Errors inside MPI itself keep MPI's default handler, which ends the whole job with a message.
Communicator::Communicator(MPI_Comm parent) {
  MPI_Comm_dup(parent, &comm_);
  MPI_Comm_rank(comm_, &rank_);
  MPI_Comm_size(comm_, &size_);
}

Communicator::Communicator(Communicator&& other) noexcept
    : comm_(std::exchange(other.comm_, MPI_COMM_NULL)), rank_(other.rank_), size_(other.size_) {}

Communicator& Communicator::operator=(Communicator&& other) noexcept {
  std::swap(comm_, other.comm_);
  std::swap(rank_, other.rank_);
  std::swap(size_, other.size_);
  return *this;
}

Communicator::~Communicator() {
  if (comm_ != MPI_COMM_NULL) MPI_Comm_free(&comm_);
}

void sum(const Communicator& comm, std::span<double> values) {
  in_pieces(values, [&](double* data, int count) {
    MPI_Allreduce(MPI_IN_PLACE, data, count, MPI_DOUBLE, MPI_SUM, comm.raw());
  });
}

void sum(const Communicator& comm, std::span<std::int64_t> values) {
  in_pieces(values, [&](std::int64_t* data, int count) {
    MPI_Allreduce(MPI_IN_PLACE, data, count, MPI_INT64_T, MPI_SUM, comm.raw());
  });
}

double sum(const Communicator& comm, double value) {
  return reduced(comm, value, MPI_DOUBLE, MPI_SUM);
}
std::int64_t sum(const Communicator& comm, std::int64_t value) {
  return reduced(comm, value, MPI_INT64_T, MPI_SUM);
}
double max(const Communicator& comm, double value) {
  return reduced(comm, value, MPI_DOUBLE, MPI_MAX);
}
std::int64_t max(const Communicator& comm, std::int64_t value) {
  return reduced(comm, value, MPI_INT64_T, MPI_MAX);
}
std::int64_t min(const Communicator& comm, std::int64_t value) {
  return reduced(comm, value, MPI_INT64_T, MPI_MIN);
}

void broadcast(const Communicator& comm, std::span<double> values, int root) {
  in_pieces(values, [&](double* data, int count) { MPI_Bcast(data, count, MPI_DOUBLE, root, comm.raw()); });
}

void broadcast(const Communicator& comm, std::span<std::int64_t> values, int root) {
  in_pieces(values, [&](std::int64_t* data, int count) { MPI_Bcast(data, count, MPI_INT64_T, root, comm.raw()); });
}

std::string broadcast(const Communicator& comm, std::string text, int root) {
  auto length = static_cast<std::int64_t>(text.size());
  MPI_Bcast(&length, 1, MPI_INT64_T, root, comm.raw());
  text.resize(static_cast<std::size_t>(length));
  MPI_Bcast(text.data(), narrow(length, "a message length"), MPI_CHAR, root, comm.raw());
  return text;
}

int ranks_on_node(const Communicator& comm) {
  MPI_Comm node = MPI_COMM_NULL;
  MPI_Comm_split_type(comm.raw(), MPI_COMM_TYPE_SHARED, comm.rank(), MPI_INFO_NULL, &node);
  int size = 1;
  MPI_Comm_size(node, &size);
  MPI_Comm_free(&node);
  return size;
}

}  // namespace stepwise
