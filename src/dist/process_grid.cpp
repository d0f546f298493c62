#include "stepwise/dist/process_grid.hpp"

#include "dist/scalapack_abi.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {

GridShape nearly_square(int size) {
  int cols = 1;
  for (int p = 1; p * p <= size; ++p) {
    if (size % p == 0) cols = p;
  }
  return {size / cols, cols};
}

std::shared_ptr<const ProcessGrid> ProcessGrid::create(const Communicator& comm, GridShape shape) {
  attempt(comm, [&] {
    if (shape.rows < 1 || shape.cols < 1 || shape.rows * shape.cols != comm.size()) {
      fail(ExitCode::input, "--solver.grid {}x{}: the product must be the number of ranks, {}", shape.rows, shape.cols,
           comm.size());
    }
  });
  std::shared_ptr<const ProcessGrid> grid(new ProcessGrid(comm, shape));
  attempt(comm, [&] {
    GridShape seen{};
    int row = -1;
    int col = -1;
    Cblacs_gridinfo(grid->context_, &seen.rows, &seen.cols, &row, &col);
    if (seen != shape || row != grid->row() || col != grid->col()) {
      fail(ExitCode::internal, "BLACS places this rank at ({}, {}) of {}x{}, MPI at ({}, {}) of {}x{}", row, col,
           seen.rows, seen.cols, grid->row(), grid->col(), shape.rows, shape.cols);
    }
  });
  return grid;
}

ProcessGrid::ProcessGrid(const Communicator& comm, GridShape shape) : comm_(comm.raw()), shape_(shape) {
  system_handle_ = Csys2blacs_handle(comm_.raw());
  context_ = system_handle_;
  Cblacs_gridinit(&context_, "Row-major", shape.rows, shape.cols);
}

ProcessGrid::~ProcessGrid() {
  if (context_ >= 0) Cblacs_gridexit(context_);
  if (system_handle_ >= 0) Cfree_blacs_system_handle(system_handle_);
}

}  // namespace stepwise
