// Steps a second of gradient descent, linear and kernel model, on random features; bench/simulation.py runs this beside
// NumPy. Of several stretches the fastest counts: others may be at work on the same cores. One rank with one thread
// counts its processor time.
//
//   mpirun -n 2 bench_simulation [pairs = 500] [features = 1200] [outputs = 10] [stretches = 8]

#include <mpi.h>

#include <cstdlib>
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

void measure(const Communicator& comm, const char* name, const Dynamics& dynamics, double alpha,
             std::int64_t stretches) {
  Training training{std::vector<double>(static_cast<std::size_t>(dynamics.outputs * dynamics.columns))};
  RandomStream numbers(2, Purpose::probe, 0);
  for (double& x : training.x) x = alpha * numbers.normal();
  constexpr double rate = 1e-9;  // what the numbers are does not matter
  const char* threads = std::getenv("OMP_NUM_THREADS");
  const bool alone = comm.size() == 1 && threads != nullptr && std::string(threads) == "1";
  const auto seconds = [&](std::int64_t steps) {
    MPI_Barrier(comm.raw());
    const std::clock_t start = std::clock();
    const Stopwatch watch;
    descend(dynamics, rate, steps, training);
    return alone ? static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC : max(comm, watch.seconds());
  };
  (void)seconds(3);
  const auto steps = std::max(std::int64_t{5}, static_cast<std::int64_t>(0.2 * 10 / seconds(10)));  // about 0.2 s
  double best = seconds(steps);
  for (std::int64_t i = 1; i < stretches; ++i) best = std::min(best, seconds(steps));
  if (comm.rank() == 0) {
    fmt::print("BENCH name={} steps_per_s={:.1f}\n", name, static_cast<double>(steps) / best);
  }
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  {
    const Communicator comm(MPI_COMM_WORLD);
    const std::int64_t samples = 2 * bench::argument(argc, argv, 1, 500);
    const std::int64_t features = bench::argument(argc, argv, 2, 1200);
    const std::int64_t outputs = bench::argument(argc, argv, 3, 10);
    const std::int64_t stretches = bench::argument(argc, argv, 4, 8);
    const Pairing pairing;
    const Samples own = random_samples(sample_share(comm, samples, 2), features);
    const auto linear = [&](bool covariance) {
      return correlation_dynamics(linear_model(own, outputs, samples, comm, pairing, covariance), {});
    };
    measure(comm, "linear", linear(false), 1e-3, stretches);
    measure(comm, "linear-pass", linear(true), 1e-3, stretches);
    const Kernel kernel = LinearKernel{};
    KernelProduct<double> product(kernel, own, comm, samples, 2);
    product.store({});
    BlockVector f0 = make_block_vector(comm, samples, outputs, 2);
    for (double& x : f0.data) x = 1e-3;
    const auto with_k = [&](MatrixView<const double> v, MatrixView<double> y) { product(v, y); };
    measure(comm, "kernel", correlation_dynamics(kernel_model(with_k, f0, comm, pairing), {}), 0, stretches);
  }
  MPI_Finalize();
  return 0;
}
