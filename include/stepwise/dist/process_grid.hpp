#pragma once

#include <memory>

#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// Rows and columns of a process grid.
struct GridShape {
  int rows = 1;
  int cols = 1;
  friend bool operator==(const GridShape&, const GridShape&) = default;
};

/// The most nearly square p x q = size with p >= q: reductions to banded form run along process
/// columns, and two-stage ELPA was up to a third faster on 2 x 1 than on 1 x 2 (docs/performance.md).
[[nodiscard]] GridShape nearly_square(int size);

/// All ranks of a communicator arranged row by row in a p x q BLACS grid, released at the end. Shared by the matrices
/// on it.
class ProcessGrid {
 public:
  /// Collective. @throws CollectiveError(input) unless rows * cols equals comm.size(); (internal) when BLACS places
  /// this rank elsewhere than MPI's numbering says.
  [[nodiscard]] static std::shared_ptr<const ProcessGrid> create(const Communicator& comm, GridShape shape);

  ProcessGrid(const ProcessGrid&) = delete;
  ProcessGrid& operator=(const ProcessGrid&) = delete;
  ~ProcessGrid();

  [[nodiscard]] const Communicator& comm() const noexcept { return comm_; }
  [[nodiscard]] GridShape shape() const noexcept { return shape_; }
  [[nodiscard]] int row() const noexcept { return comm_.rank() / shape_.cols; }
  [[nodiscard]] int col() const noexcept { return comm_.rank() % shape_.cols; }
  /// BLACS context.
  [[nodiscard]] int context() const noexcept { return context_; }

 private:
  ProcessGrid(const Communicator& comm, GridShape shape);

  Communicator comm_;
  GridShape shape_;
  int system_handle_ = -1;
  int context_ = -1;
};

}  // namespace stepwise
