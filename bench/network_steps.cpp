// Seconds a step of full-batch descent of a fully connected ReLU network takes; random inputs, simplified Barlow Twins.
//
//   mpirun -n 2 bench_network_steps [samples = 100] [inputs = 1200] [width = 2048] [depth = 1] [outputs = 10]
//                                   [steps = 20] [width ranks = 1]

#include <mpi.h>

#include <cstdlib>

#include "measure.hpp"
#include "stepwise/core/random.hpp"
#include "stepwise/dist/block_vector.hpp"
#include "stepwise/kernel/network_text.hpp"
#include "stepwise/sim/optimiser.hpp"

int main(int argc, char** argv) {
  using namespace stepwise;
  MPI_Init(&argc, &argv);
  {
    const Communicator comm(MPI_COMM_WORLD);
    const std::int64_t n = bench::argument(argc, argv, 1, 100);
    const std::int64_t inputs = bench::argument(argc, argv, 2, 1200);
    const std::int64_t width = bench::argument(argc, argv, 3, 2048);
    const std::int64_t depth = bench::argument(argc, argv, 4, 1);
    const std::int64_t outputs = bench::argument(argc, argv, 5, 10);
    const std::int64_t steps = bench::argument(argc, argv, 6, 20);
    const TrainingGrid grid = make_training_grid(comm, static_cast<int>(bench::argument(argc, argv, 7, 1)));
    const std::vector<AffineLayer> layers(static_cast<std::size_t>(depth + 1));
    const FullyConnected of{fully_connected(NetworkKernel::ntk, layers, Rectifier{}), inputs, width, outputs, 1e-2};
    const Optimiser optimiser{1e-4};
    NetworkTraining training = begin_network_training(draw_perceptron(of, grid.width, 1), optimiser);
    const Range own = sample_share(grid.data, n, 2);
    std::vector<double> x;
    for (std::int64_t s = own.begin; s < own.end; ++s) {
      RandomStream random(2, Purpose::probe, s);
      for (std::int64_t i = 0; i < inputs; ++i) x.push_back(random.normal());
    }
    const MatrixView<const double> batch{x.data(), inputs, own.size(), inputs};
    std::vector<double> seconds;
    double loss = 0;
    for (std::int64_t step = 0; step <= steps; ++step) {
      MPI_Barrier(comm.raw());
      const Stopwatch watch;
      loss = train(training, grid, batch, SimplifiedBarlowTwins{}, {2}, optimiser);
      if (step > 0) seconds.push_back(max(comm, watch.seconds()));
    }
    if (comm.rank() == 0) fmt::print("step_s={:.6f} loss={:.6f}\n", bench::median(seconds), loss);
  }
  MPI_Finalize();
}
