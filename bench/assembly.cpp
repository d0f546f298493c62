// Kernel tiles for half of the symmetric matrix (KernelProduct::store) against the one GEMM that gives all inner
// products, X^T X as a full N x N matrix, with the same BLAS and threads. Views of dead-leaves images.
//
//   bench_assembly [pairs = 2000] [crop = 20] [repeats = 5]          one process, OMP_NUM_THREADS threads

#include <mpi.h>

#include <numeric>

#include "measure.hpp"
#include "stepwise/data/pairs.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/kernel/kernel_product.hpp"

namespace {

using namespace stepwise;

Samples views(std::int64_t pairs, std::int64_t crop) {
  const ImagePairs source{.train = DeadLeaves{},
                          .test = DeadLeaves{},
                          .pairs = pairs,
                          .views = {.crop = crop},
                          .standardisation = {{128, 128, 128}, {64, 64, 64}}};
  const std::int64_t features = sample_shape(source).size();
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(2 * pairs));
  std::iota(numbers.begin(), numbers.end(), 0);
  std::vector<double> data(static_cast<std::size_t>(2 * pairs * features));
  read_samples(source, numbers, {data.data(), features, 2 * pairs, features});
  return make_samples(features, std::move(data));
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  {
    const Communicator comm(MPI_COMM_SELF);
    const Samples samples = views(bench::argument(argc, argv, 1, 2000), bench::argument(argc, argv, 2, 20));
    const auto repeats = static_cast<int>(bench::argument(argc, argv, 3, 5));
    const std::int64_t n = samples.count;
    const std::int64_t m = samples.features;
    std::vector<double> products(static_cast<std::size_t>(n * n));
    const auto all_products = [&] {
      gemm(1.0, Transpose::yes, {samples.data.data(), m, n, m}, Transpose::no, {samples.data.data(), m, n, m}, 0.0,
           {products.data(), n, n, n});
    };
    const Network ntk = fully_connected(NetworkKernel::ntk, std::vector<AffineLayer>(4));
    const SingleSamples single = to_single(samples);
    for (const auto& [name, kernel] :
         {std::pair<std::string, Kernel>("linear", LinearKernel{}),
          std::pair<std::string, Kernel>("rbf", RbfKernel{std::sqrt(static_cast<double>(m))}),
          std::pair<std::string, Kernel>("ntk_depth_3", ntk)}) {
      KernelProduct<double> stored(kernel, samples, comm, n, 2);
      bench::compare(comm, "assembly_" + name, repeats, "gemm", all_products, [&] { stored.store({}); });
      KernelProduct<float> rough(kernel, single, comm, n, 2);
      bench::compare(comm, "assembly_" + name + "_single", repeats, "gemm", all_products, [&] { rough.store({}); });
    }
  }
  MPI_Finalize();
  return 0;
}
