// K V with few vectors: the stored half of K (KernelProduct), in double and single precision, against the whole matrix
// in block-cyclic layout (BlockProduct). Random features, linear kernel: what is multiplied does not matter.
//
//   mpirun -n 2 bench_products [samples = 4000] [vectors = 24] [repeats = 21]

#include <mpi.h>

#include "measure.hpp"
#include "stepwise/core/random.hpp"
#include "stepwise/dist/block_product.hpp"
#include "stepwise/kernel/assemble.hpp"
#include "stepwise/kernel/kernel_product.hpp"

namespace {

using namespace stepwise;

Samples samples_of(const std::vector<std::int64_t>& numbers) {
  constexpr std::int64_t m = 8;
  std::vector<double> data;
  for (const std::int64_t i : numbers) {
    for (std::int64_t k = 0; k < m; ++k) data.push_back(RandomStream(1, Purpose::probe, i * m + k).normal());
  }
  return make_samples(m, std::move(data));
}

std::vector<std::int64_t> local_numbers(const BlockCyclic& map, int proc) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t l = 0; l < map.local_count(proc); ++l) numbers.push_back(value(map.to_global(Local{l}, proc)));
  return numbers;
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  {
    const Communicator comm(MPI_COMM_WORLD);
    const std::int64_t n = bench::argument(argc, argv, 1, 4000);
    const std::int64_t width = bench::argument(argc, argv, 2, 24);
    const auto repeats = static_cast<int>(bench::argument(argc, argv, 3, 21));
    constexpr std::int64_t block = 64;
    const auto grid = ProcessGrid::create(comm, nearly_square(comm.size()));
    const BlockCyclic rows{n, block, grid->shape().rows};
    const BlockCyclic cols{n, block, grid->shape().cols};
    const DistMatrix k = assemble(LinearKernel{}, samples_of(local_numbers(rows, grid->row())),
                                  samples_of(local_numbers(cols, grid->col())), grid, n, block, {});
    const BlockProduct whole(k, 2);
    const Range own = sample_share(comm, n, 2);
    std::vector<std::int64_t> numbers;
    for (std::int64_t i = own.begin; i < own.end; ++i) numbers.push_back(i);
    const Samples samples = samples_of(numbers);
    const SingleSamples single = to_single(samples);
    const Kernel kernel = LinearKernel{};
    KernelProduct<double> half(kernel, samples, comm, n, 2);
    half.store({});
    KernelProduct<float> rough(kernel, single, comm, n, 2);
    rough.store({});
    BlockVector v = make_block_vector(comm, n, width, 2);
    for (double& x : v.data) x = 1;
    BlockVector y = v;
    const auto all = [&] { whole(v.local(), y.local()); };
    bench::compare(comm, fmt::format("product_n{}_width{}", n, width), repeats, "whole_matrix", all,
                   [&] { half(v.local(), y.local()); });
    bench::compare(comm, fmt::format("product_single_n{}_width{}", n, width), repeats, "whole_matrix", all,
                   [&] { rough(v.local(), y.local()); });
  }
  MPI_Finalize();
  return 0;
}
