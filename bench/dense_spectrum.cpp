// All eigenvalues, with and without all eigenvectors, of a distributed symmetric matrix: largest_eigenpairs(), which
// scales, checks and may fall back, against a bare call of ELPA with the same solver and layout.
//
//   mpirun -n 2 bench_dense_spectrum [n = 2000] [block = 64] [repeats = 3]

#include <mpi.h>

extern "C" const char* elpa_strerr(int elpa_error);
#include <elpa/elpa.h>

#include "measure.hpp"
#include "stepwise/core/random.hpp"
#include "stepwise/dist/pblas.hpp"
#include "stepwise/solve/eigensolver.hpp"

namespace {

using namespace stepwise;

DistMatrix random_symmetric(const std::shared_ptr<const ProcessGrid>& grid, std::int64_t n, std::int64_t block) {
  DistMatrix a(grid, n, n, block);
  for (std::int64_t j = 0; j < a.local().cols; ++j) {
    for (std::int64_t i = 0; i < a.local().rows; ++i) {
      const std::int64_t row = std::max(a.global_row(i), a.global_col(j));
      const std::int64_t col = std::min(a.global_row(i), a.global_col(j));
      a.local()(i, j) = RandomStream(1, Purpose::probe, row * n + col).uniform() - 0.5;
    }
  }
  return a;
}

void require(int status, const char* call) {
  if (status == ELPA_OK) return;
  fmt::print(stderr, "{}: {}\n", call, elpa_strerr(status));
  MPI_Abort(MPI_COMM_WORLD, 1);
}

void bare_elpa(DistMatrix& a, bool two_stage, bool vectors) {
  int status = ELPA_OK;
  elpa_t handle = elpa_allocate(&status);
  require(status, "elpa_allocate");
  const auto set = [&](const char* key, std::int64_t number) {
    elpa_set(handle, key, static_cast<int>(number), &status);
    require(status, key);
  };
  set("na", a.rows());
  set("nev", a.rows());
  set("local_nrows", a.local().stride);
  set("local_ncols", a.local().cols);
  set("nblk", a.block());
  set("mpi_comm_parent", MPI_Comm_c2f(a.comm().raw()));
  set("process_row", a.grid().row());
  set("process_col", a.grid().col());
  require(elpa_setup(handle), "elpa_setup");
  set("solver", two_stage ? ELPA_SOLVER_2STAGE : ELPA_SOLVER_1STAGE);
  std::vector<double> values(static_cast<std::size_t>(a.rows()));
  if (vectors) {
    DistMatrix z(a.shared_grid(), a.rows(), a.rows(), a.block());
    elpa_eigenvectors(handle, a.local().data, values.data(), z.local().data, &status);
  } else {
    elpa_eigenvalues(handle, a.local().data, values.data(), &status);
  }
  require(status, "elpa_eigenvectors");
  elpa_deallocate(handle, &status);
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  require(elpa_init(20221109), "elpa_init");
  {
    const Communicator comm(MPI_COMM_WORLD);
    const std::int64_t n = bench::argument(argc, argv, 1, 2000);
    const std::int64_t block = bench::argument(argc, argv, 2, 64);
    const auto repeats = static_cast<int>(bench::argument(argc, argv, 3, 3));
    const auto grid = ProcessGrid::create(comm, nearly_square(comm.size()));
    const DistMatrix a = random_symmetric(grid, n, block);
    const SymmetricOperator op{[&] { return a.clone(); },
                               [&](const DistMatrix& v) {
                                 DistMatrix product(grid, n, v.cols(), block);
                                 multiply(1, Transpose::no, a, Transpose::no, v, product);
                                 return product;
                               }};
    for (const bool vectors : {true, false}) {
      const std::int64_t k = vectors ? n : 0;
      const bool two_stage = solver_ladder(n, k, block, grid->shape()).front() == Eigensolver::elpa_two_stage;
      bench::compare(
          comm,
          fmt::format("{}_n{}_{}", vectors ? "all_eigenpairs" : "all_eigenvalues", n, two_stage ? "elpa2" : "elpa1"),
          repeats, "elpa",
          [&] {
            DistMatrix copy = a.clone();
            bare_elpa(copy, two_stage, vectors);
          },
          [&] { (void)largest_eigenpairs(op, k); });
    }
  }
  int status = ELPA_OK;
  elpa_uninit(&status);
  MPI_Finalize();
  return 0;
}
