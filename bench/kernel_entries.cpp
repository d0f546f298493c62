// Kernel entries per second of KernelProduct::store, half of the symmetric matrix of views of dead-leaves images.
//
//   bench_kernel_entries NETWORK [images = 64] [side = 20] [repeats = 3] [double | single] [ntk | nngp]
//
// OMP_NUM_THREADS threads on each rank; with gap a tile of 64 x 64 entries is one thread's work, so few images want
// more ranks. bench/kernel_entries.py runs it beside NumPy.

#include <mpi.h>

#include <iostream>
#include <numeric>

#include "measure.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/data/pairs.hpp"
#include "stepwise/kernel/kernel_product.hpp"
#include "stepwise/kernel/network_text.hpp"

namespace {

using namespace stepwise;

template <class T>
double seconds(const Network& network, const BasicSamples<T>& own, const Communicator& comm, std::int64_t count,
               int repeats) {
  const Kernel kernel = network;
  KernelProduct<T> product(kernel, own, comm, count, 2);
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) {
    MPI_Barrier(comm.raw());
    const Stopwatch watch;
    product.store({});
    times.push_back(max(comm, watch.seconds()));
  }
  return bench::median(times);
}

void run(int argc, char** argv) {
  const Communicator comm(MPI_COMM_WORLD);
  const std::string word = [&](int n) -> std::string { return argc > n ? argv[n] : ""; }(5);
  const bool single = word == "single";
  const ImagePairs source{.train = DeadLeaves{},
                          .test = DeadLeaves{},
                          .pairs = bench::argument(argc, argv, 2, 64) / 2,
                          .views = {.crop = bench::argument(argc, argv, 3, 20)},
                          .standardisation = {{128, 128, 128}, {64, 64, 64}}};
  const std::int64_t count = 2 * source.pairs;
  Network network{argc > 6 && std::string(argv[6]) == "nngp" ? NetworkKernel::nngp : NetworkKernel::ntk,
                  parse_layers(argc > 1 ? argv[1] : "fc-3", {}), sample_shape(source)};
  validate(network);
  const Range share = sample_share(comm, count, 2, comm.rank());
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(share.size()));
  std::iota(numbers.begin(), numbers.end(), share.begin);
  const std::int64_t features = network.input.size();
  std::vector<double> data(static_cast<std::size_t>(share.size() * features));
  read_samples(source, numbers, {data.data(), features, share.size(), features});
  const Samples samples = make_samples(features, std::move(data));
  const auto repeats = static_cast<int>(bench::argument(argc, argv, 4, 3));
  const double time = single ? seconds(network, to_single(samples), comm, count, repeats)
                             : seconds(network, samples, comm, count, repeats);
  if (comm.rank() != 0) return;
  const double entries = 0.5 * static_cast<double>(count) * static_cast<double>(count + 1);
  fmt::print("BENCH name=kernel_entries images={} seconds={:.5g} entries_per_s={:.5g}\n", count, time, entries / time);
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int status = 0;
  try {
    run(argc, argv);
  } catch (const Error& error) {
    std::cerr << error.what() << "\n";
    status = 1;
  }
  MPI_Finalize();
  return status;
}
