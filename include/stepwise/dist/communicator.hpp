#pragma once

#include <mpi.h>

#include <cstdint>
#include <span>
#include <string>

namespace stepwise {

/// An MPI communicator of its own (a duplicate, freed at the end), or none. Move-only; moving is local.
class Communicator {
 public:
  /// Collective over `parent`.
  explicit Communicator(MPI_Comm parent);
  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&& other) noexcept;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  ~Communicator();

  [[nodiscard]] MPI_Comm raw() const noexcept { return comm_; }
  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
};

// Each of these is collective. Messages longer than 2^31 - 1 elements go in pieces.

/// Element-wise sum over ranks, in place on every rank.
void sum(const Communicator& comm, std::span<double> values);
void sum(const Communicator& comm, std::span<std::int64_t> values);
[[nodiscard]] double sum(const Communicator& comm, double value);
[[nodiscard]] std::int64_t sum(const Communicator& comm, std::int64_t value);
[[nodiscard]] double max(const Communicator& comm, double value);
[[nodiscard]] std::int64_t max(const Communicator& comm, std::int64_t value);
[[nodiscard]] std::int64_t min(const Communicator& comm, std::int64_t value);
/// Copies from rank `root` to all.
void broadcast(const Communicator& comm, std::span<double> values, int root = 0);
void broadcast(const Communicator& comm, std::span<std::int64_t> values, int root = 0);
[[nodiscard]] std::string broadcast(const Communicator& comm, std::string text, int root = 0);

/// Ranks of `comm` that share this rank's node.
[[nodiscard]] int ranks_on_node(const Communicator& comm);

}  // namespace stepwise
