#include "stepwise/sim/tangent_kernel.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "networks.hpp"
#include "stepwise/kernel/evaluate.hpp"
#include "stepwise/sim/linearised.hpp"

namespace stepwise {
namespace {

using test::columns;
using test::NetworkOptions;
using test::Vector;

constexpr std::int64_t n = 6;

Vector kernel_of(const NetworkOptions& options, const Vector& x, const TrainingGrid& grid) {
  const TrainedNetwork network = test::drawn(options, grid);
  return whole(tangent_kernel(network, grid, columns(x, options.inputs, sample_share(grid.data, n, 2))), grid.data);
}

/// df_k(x_s) / dw by central differences: parameters x (outputs x samples).
std::vector<Vector> jacobian(TrainedNetwork network, const Vector& x) {
  constexpr double step = 1e-6;
  std::vector<Vector> rows;
  for (double& w : network.parameters) {
    const double kept = w;
    Vector row;
    for (std::int64_t s = 0; s < n; ++s) {
      w = kept + step;
      const Vector above = test::literal_output(network, x.data() + s * network.inputs());
      w = kept - step;
      const Vector below = test::literal_output(network, x.data() + s * network.inputs());
      for (std::size_t k = 0; k < above.size(); ++k) row.push_back((above[k] - below[k]) / (2 * step));
    }
    w = kept;
    rows.push_back(row);
  }
  return rows;
}

TEST(TangentKernel, IsThatOfTheJacobianOnEveryGrid) {
  for (const int depth : {0, 1, 3}) {
    for (const bool standard : {false, true}) {
      const NetworkOptions options{depth, Gelu{}, standard, standard ? 0 : 0.3};
      const Vector x = test::normal_columns(options.inputs, n, 2);
      const TrainedNetwork network = test::drawn(options, test::alone());
      const auto d = static_cast<std::size_t>(options.outputs);
      const std::vector<Vector> by_parameter = jacobian(network, x);
      const Vector factors = test::rates(network);
      Vector expected(n * n);
      for (std::size_t s = 0; s < n; ++s) {
        for (std::size_t t = 0; t < n; ++t) {
          for (std::size_t k = 0; k < d; ++k) {
            for (std::size_t p = 0; p < factors.size(); ++p) {
              expected[s + n * t] += factors[p] * by_parameter[p][s * d + k] * by_parameter[p][t * d + k] / 3;
            }
          }
        }
      }
      test::on_every_training_grid([&](const TrainingGrid& grid) {
        EXPECT_LT(test::largest_difference(kernel_of(options, x, grid), expected), 1e-7) << depth;
      });
    }
  }
}

TEST(TangentKernel, OfAWideNetworkIsThatOfTheInfiniteOne) {
  for (const bool standard : {false, true}) {
    NetworkOptions options{1, Rectifier{}, standard};
    options.width = 20000;
    options.outputs = 4;
    const Vector x = test::normal_columns(options.inputs, n, 2);
    const Network infinite = test::describe_network(options).layers;
    const Samples samples = make_samples(options.inputs, x);
    Vector expected(n * n);
    evaluate(infinite, samples, {0, n}, samples, {0, n}, {expected.data(), n, n, n});
    const Vector found = kernel_of(options, x, test::alone());
    EXPECT_LT(test::largest_difference(found, expected), 0.04 * *std::max_element(expected.begin(), expected.end()));
  }
}

TEST(TangentKernel, MultipliesAndComparesOnEveryGrid) {
  const NetworkOptions options;
  const Vector x = test::normal_columns(options.inputs, n, 2);
  const Vector k = kernel_of(options, x, test::alone());
  const Vector v = test::normal_columns(2, n, 5);
  test::on_every_training_grid([&](const TrainingGrid& grid) {
    const Range own = sample_share(grid.data, n, 2);
    const SampleMatrix start = tangent_kernel(test::drawn(options, grid), grid, columns(x, options.inputs, own));
    Vector y(static_cast<std::size_t>(2 * own.size()));
    product_with(start, grid.data)(columns(v, 2, own), {y.data(), 2, own.size(), 2});
    for (std::int64_t s = own.begin; s < own.end; ++s) {
      for (std::int64_t i = 0; i < 2; ++i) {
        double expected = 0;
        for (std::int64_t t = 0; t < n; ++t) {
          expected += k[static_cast<std::size_t>(s + n * t)] * v[static_cast<std::size_t>(2 * t + i)];
        }
        EXPECT_NEAR(y[static_cast<std::size_t>(2 * (s - own.begin) + i)], expected, 1e-11);
      }
    }
    SampleMatrix now = start;
    for (double& entry : now.rows) entry *= 1.25;
    EXPECT_NEAR(relative_change(now, start, grid.data), 0.25, 1e-14);
  });
}

TEST(HiddenCovariance, Trace) {
  const NetworkOptions options{2, Gelu{}};
  const Vector x = test::normal_columns(options.inputs, n, 2);
  // The signals of the last hidden layer are the outputs of a network cut off there.
  const TrainedNetwork network = test::drawn(options, test::alone());
  NetworkPass pass;
  forward(network, test::alone().width, columns(x, options.inputs), pass);
  const Vector covariance = sample_covariance(columns(pass.signals.back(), options.width), test::alone().data);
  double trace = 0;
  double squares = 0;
  for (std::int64_t i = 0; i < options.width; ++i)
    trace += covariance[static_cast<std::size_t>(i * (options.width + 1))];
  for (const double c : covariance) squares += c * c;
  test::on_every_training_grid([&](const TrainingGrid& grid) {
    const auto own = columns(x, options.inputs, sample_share(grid.data, n, 2));
    const Vector found = whole(hidden_covariance(test::drawn(options, grid), grid, own), grid.data);
    double sum = 0;
    double all = 0;
    for (std::size_t i = 0; i < n; ++i) sum += found[i * (n + 1)];
    for (const double c : found) all += c * c;
    EXPECT_NEAR(sum, trace, 1e-12);
    EXPECT_NEAR(all, squares, 1e-12);
  });
}

TEST(Linearised, OutputsAreTheExpansionAndItsGradientsThoseOfTheStart) {
  const NetworkOptions options{2, scalar_activation("tanh")};
  const Vector x = test::normal_columns(options.inputs, n, 2);
  const TrainedNetwork start = test::drawn(options, test::alone());
  const TrainedNetwork other = test::drawn(options, test::alone(), 6);
  const std::vector<Vector> by_parameter = jacobian(start, x);
  NetworkPass pass;
  forward(start, test::alone().width, columns(x, options.inputs), pass);
  Vector expected = pass.outputs;
  for (std::size_t p = 0; p < by_parameter.size(); ++p) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expected[i] += by_parameter[p][i] * (other.parameters[p] - start.parameters[p]);
    }
  }
  test::on_every_training_grid([&](const TrainingGrid& grid) {
    const Range own = sample_share(grid.data, n, 2);
    const auto batch = columns(x, options.inputs, own);
    LinearisedTraining training = begin_linearised(test::drawn(options, grid), {});
    training.moving.network.parameters = test::own_part(start, training.start, other.parameters);
    expand(training, grid.width, batch);
    Vector f(static_cast<std::size_t>(options.outputs * own.size()));
    linearised_outputs(training, grid.width, batch, f);
    const Vector part(expected.begin() + own.begin * options.outputs, expected.begin() + own.end * options.outputs);
    EXPECT_LT(test::largest_difference(f, part), 1e-7);
  });
}

/// The expansion of a network in its weights is exact where the network is linear in them.
TEST(Linearised, ALinearNetworkIsItsOwnExpansion) {
  const NetworkOptions options{0};
  const Vector x = test::normal_columns(options.inputs, n, 2);
  const Optimiser optimiser{0.005, 0.9, 1e-3};
  test::on_every_training_grid([&](const TrainingGrid& grid) {
    const auto batch = columns(x, options.inputs, sample_share(grid.data, n, 2));
    NetworkTraining training = begin_network_training(test::drawn(options, grid), optimiser);
    LinearisedTraining linear = begin_linearised(test::drawn(options, grid), optimiser);
    expand(linear, grid.width, batch);
    for (int step = 0; step < 10; ++step) {
      const double loss = train(training, grid, batch, SimplifiedBarlowTwins{}, {2}, optimiser);
      EXPECT_NEAR(train(linear, grid, batch, SimplifiedBarlowTwins{}, {2}, optimiser), loss, 1e-12 * (1 + loss));
    }
    EXPECT_LT(test::largest_difference(training.network.parameters, linear.moving.network.parameters), 1e-12);
  });
}

/// The wider the network, the closer to its expansion.
TEST(Linearised, ErrorFallsWithTheWidth) {
  const auto error = [](std::int64_t width) {
    NetworkOptions options{1, scalar_activation("tanh")};
    options.width = width;
    const Vector x = test::normal_columns(options.inputs, n, 2);
    const auto batch = columns(x, options.inputs);
    const Optimiser optimiser{0.02};
    NetworkTraining training = begin_network_training(test::drawn(options, test::alone()), optimiser);
    LinearisedTraining linear = begin_linearised(training.network, optimiser);
    expand(linear, test::alone().width, batch);
    for (int step = 0; step < 40; ++step) {
      train(training, test::alone(), batch, SimplifiedBarlowTwins{}, {2}, optimiser);
      train(linear, test::alone(), batch, SimplifiedBarlowTwins{}, {2}, optimiser);
    }
    forward(training.network, test::alone().width, batch, training.pass);
    Vector f(training.pass.outputs.size());
    linearised_outputs(linear, test::alone().width, batch, f);
    return test::largest_difference(training.pass.outputs, f);
  };
  const double narrow_error = error(16);
  EXPECT_LT(error(4096), 0.3 * narrow_error);
  EXPECT_GT(narrow_error, 1e-3);
}

}  // namespace
}  // namespace stepwise
