// Steps per second of gradient descent, linear and kernel model, on random features; bench/simulation.py runs this
// beside NumPy.
//
//   mpirun -n 2 bench_simulation [pairs = 500] [features = 1200] [outputs = 10] [seconds = 1]

#include <mpi.h>

#include <ctime>

#include "measure.hpp"
#include "stepwise/core/random.hpp"
#include "stepwise/kernel/kernel_product.hpp"
#include "stepwise/sim/dynamics.hpp"

namespace {

using namespace stepwise;

Samples random_samples(Range range, std::int64_t features) {
  std::vector<double> data;
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    RandomStream numbers(1, Purpose::probe, i);
    for (std::int64_t k = 0; k < features; ++k) data.push_back(numbers.normal());
  }
  return make_samples(features, std::move(data));
}

void measure(const Communicator& comm, const char* name, const Dynamics& dynamics, double alpha, double seconds) {
  Training training{std::vector<double>(static_cast<std::size_t>(dynamics.outputs * dynamics.columns))};
  RandomStream numbers(2, Purpose::probe, 0);
  for (double& x : training.x) x = alpha * numbers.normal();
  constexpr double rate = 1e-9;  // what the numbers are does not matter
  descend(dynamics, rate, 3, training);
  std::int64_t steps = 0;
  const auto cpu0 = std::clock();
  const Stopwatch watch;
  while (max(comm, watch.seconds()) < seconds) {
    descend(dynamics, rate, 20, training);
    steps += 20;
  }
  if (comm.rank() == 0)
    fmt::print("BENCH name={} steps_per_s={:.1f}\n", name,
               static_cast<double>(steps) / (static_cast<double>(std::clock() - cpu0) / CLOCKS_PER_SEC));
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  {
    const Communicator comm(MPI_COMM_WORLD);
    const std::int64_t samples = 2 * bench::argument(argc, argv, 1, 500);
    const std::int64_t features = bench::argument(argc, argv, 2, 1200);
    const std::int64_t outputs = bench::argument(argc, argv, 3, 10);
    const auto seconds = static_cast<double>(bench::argument(argc, argv, 4, 1));
    const Pairing pairing;
    const Samples own = random_samples(sample_share(comm, samples, 2), features);
    measure(comm, "linear", correlation_dynamics(linear_model(own, outputs, samples, comm, pairing), {}), 1e-3,
            seconds);
    const Kernel kernel = LinearKernel{};
    KernelProduct<double> product(kernel, own, comm, samples, 2);
    product.store({});
    BlockVector f0 = make_block_vector(comm, samples, outputs, 2);
    for (double& x : f0.data) x = 1e-3;
    measure(comm, "kernel",
            correlation_dynamics(kernel_model([&](MatrixView<const double> v, MatrixView<double> y) { product(v, y); },
                                              f0, comm, pairing),
                                 {}),
            0, seconds);
  }
  MPI_Finalize();
  return 0;
}
