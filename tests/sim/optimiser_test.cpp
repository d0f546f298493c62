#include "stepwise/sim/optimiser.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "networks.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

using test::columns;
using test::NetworkOptions;
using test::Vector;

constexpr std::int64_t n = 8;
const Pairing pairs{2};

TEST(Optimiser, StepsAreThoseOfItsFormula) {
  for (const bool lars : {false, true}) {
    for (const double momentum : {0.0, 0.9}) {
      const Optimiser optimiser{0.1, momentum, 0.02, lars, 0.3};
      TrainedNetwork network = test::drawn({}, test::alone());
      const Vector factors = test::rates(network);
      Vector expected = network.parameters;
      Vector velocity(momentum > 0 ? expected.size() : 0);
      Vector speed(expected.size());
      for (int step = 0; step < 3; ++step) {
        const Vector gradient = test::normal_columns(1, std::ssize(expected), static_cast<std::uint64_t>(step));
        take_step(optimiser, network, gradient, velocity, test::alone().width);
        for (const TrainedLayer& layer : network.layers) {
          double weights = 0;
          double moves = 0;
          for (auto i = static_cast<std::size_t>(layer.weights.begin); i < static_cast<std::size_t>(layer.weights.end);
               ++i) {
            weights += expected[i] * expected[i];
            moves += std::pow(factors[i] * gradient[i] + 0.02 * expected[i], 2);
          }
          const double trust = lars ? 0.3 * std::sqrt(weights) / std::sqrt(moves) : 1;
          for (auto i = static_cast<std::size_t>(layer.weights.begin); i < static_cast<std::size_t>(layer.weights.end);
               ++i) {
            speed[i] = momentum * speed[i] + trust * (factors[i] * gradient[i] + 0.02 * expected[i]);
            expected[i] -= 0.1 * speed[i];
          }
          for (auto i = static_cast<std::size_t>(layer.biases.begin); i < static_cast<std::size_t>(layer.biases.end);
               ++i) {
            speed[i] = momentum * speed[i] + factors[i] * gradient[i];
            expected[i] -= 0.1 * speed[i];
          }
        }
        EXPECT_LT(test::largest_difference(network.parameters, expected), 1e-13);
      }
    }
  }
}

/// NTK parameterisation trains theta = W / c with rate r, standard W itself: equal where each layer's rate is c^2 r.
TEST(Optimiser, ParameterisationsDifferByTheRatesOfTheLayersAlone) {
  NetworkOptions options;
  const TrainedNetwork ntk = test::drawn(options, test::alone());
  options.standard = true;
  TrainedNetwork standard = test::drawn(options, test::alone());
  EXPECT_EQ(ntk.parameters, standard.parameters);
  for (std::size_t l = 0; l < ntk.layers.size(); ++l) {
    EXPECT_EQ(standard.layers[l].rate, 1);
    EXPECT_EQ(standard.layers[l].bias_rate, 1);
    EXPECT_DOUBLE_EQ(ntk.layers[l].rate, 1.7 / static_cast<double>(ntk.layers[l].inputs));
    EXPECT_DOUBLE_EQ(ntk.layers[l].bias_rate, 0.3);
    standard.layers[l].rate = ntk.layers[l].rate;
    standard.layers[l].bias_rate = ntk.layers[l].bias_rate;
  }
  const Optimiser optimiser{0.05, 0.9, 1e-3};
  const Vector x = test::normal_columns(options.inputs, n, 2);
  NetworkTraining one = begin_network_training(ntk, optimiser);
  NetworkTraining other = begin_network_training(standard, optimiser);
  for (int step = 0; step < 5; ++step) {
    train(one, test::alone(), columns(x, options.inputs), SimplifiedBarlowTwins{}, pairs, optimiser);
    train(other, test::alone(), columns(x, options.inputs), SimplifiedBarlowTwins{}, pairs, optimiser);
  }
  EXPECT_EQ(one.network.parameters, other.network.parameters);
}

TEST(Optimiser, BatchesAreAFunctionOfSeedAndEpoch) {
  EXPECT_EQ(batch_groups(4, 4, 1, 9), (std::vector<std::int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(batch_groups(4, 9, 1, 2), (std::vector<std::int64_t>{0, 1, 2, 3}));
  for (const std::int64_t epoch : {0, 1}) {
    std::set<std::int64_t> seen;
    for (std::int64_t batch = 0; batch < 3; ++batch) {
      const auto groups = batch_groups(11, 3, 7, 3 * epoch + batch);
      EXPECT_EQ(groups.size(), 3U);
      seen.insert(groups.begin(), groups.end());
    }
    EXPECT_EQ(seen.size(), 9U);
    EXPECT_GE(*seen.begin(), 0);
    EXPECT_LT(*seen.rbegin(), 11);
  }
  EXPECT_EQ(batch_groups(100, 50, 7, 2), batch_groups(100, 50, 7, 2));
  EXPECT_NE(batch_groups(100, 50, 7, 0), batch_groups(100, 50, 7, 2));
  EXPECT_NE(batch_groups(100, 50, 7, 0), batch_groups(100, 50, 8, 0));
}

TEST(NetworkTraining, IsTheSameOnEveryGridForEveryLoss) {
  const NetworkOptions options{2, scalar_activation("tanh")};
  const Vector x = test::normal_columns(options.inputs, n, 2);
  const std::vector<PairLoss> losses{SimplifiedBarlowTwins{}, BarlowTwins{}, SimClr{}, VicReg{}, SpectralContrastive{}};
  for (const bool lars : {false, true}) {
    const Optimiser optimiser{0.02, 0.9, 1e-3, lars, 0.1};
    for (const PairLoss& loss : losses) {
      NetworkTraining expected = begin_network_training(test::drawn(options, test::alone()), optimiser);
      Vector values;
      for (int step = 0; step < 4; ++step) {
        values.push_back(train(expected, test::alone(), columns(x, options.inputs), loss, pairs, optimiser));
      }
      EXPECT_NE(values.front(), values.back());
      test::on_every_training_grid([&](const TrainingGrid& grid) {
        NetworkTraining training = begin_network_training(test::drawn(options, grid), optimiser);
        const Range own = sample_share(grid.data, n, 2);
        for (const double value : values) {
          const double here = train(training, grid, columns(x, options.inputs, own), loss, pairs, optimiser);
          EXPECT_NEAR(here, value, 1e-11 * (1 + std::abs(value)));
        }
        const Vector part = test::own_part(expected.network, training.network, expected.network.parameters);
        EXPECT_LT(test::largest_difference(training.network.parameters, part), 1e-11);
      });
    }
  }
}

TEST(NetworkTraining, GoesOnFromParametersAndVelocityBitByBit) {
  const NetworkOptions options;
  const Optimiser optimiser{0.02, 0.9, 1e-3};
  const Vector x = test::normal_columns(options.inputs, n, 2);
  const auto step = [&](NetworkTraining& training) {
    Vector batch;
    for (const std::int64_t group : batch_groups(n / 2, 2, 3, training.step)) {
      batch.insert(batch.end(), x.begin() + 2 * group * options.inputs, x.begin() + 2 * (group + 1) * options.inputs);
    }
    train(training, test::alone(), columns(batch, options.inputs), VicReg{}, pairs, optimiser);
  };
  NetworkTraining through = begin_network_training(test::drawn(options, test::alone()), optimiser);
  for (int i = 0; i < 3; ++i) step(through);
  NetworkTraining resumed = begin_network_training(test::drawn(options, test::alone(), 99), optimiser);
  resumed.network.parameters = through.network.parameters;
  resumed.velocity = through.velocity;
  resumed.step = through.step;
  for (int i = 0; i < 5; ++i) {
    step(through);
    step(resumed);
  }
  EXPECT_EQ(through.network.parameters, resumed.network.parameters);
  EXPECT_EQ(through.velocity, resumed.velocity);
}

/// A linear network without biases and R = 1 under the loss ||C - I||^2 in one dimension: d^2 L / dw^2 at any w.
TEST(Sharpness, IsTheLargestCurvature) {
  NetworkOptions options{0, Rectifier{}, true, 0};
  options.inputs = 4;
  options.outputs = 1;
  const Vector x = test::normal_columns(options.inputs, n, 2);
  test::on_every_training_grid([&](const TrainingGrid& grid) {
    TrainedNetwork network = test::drawn(options, grid);
    // L = (w.G w - 1)^2, H = 8 G w (G w)^T + 4 (w.G w - 1) G, G = pair correlation of x.
    const Range own = sample_share(grid.data, n, 2);
    const Vector g = pair_correlation(columns(x, 4), pairs, test::alone().data);
    const TrainedNetwork whole = test::drawn(options, test::alone());
    Vector gw(4);
    double c = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t j = 0; j < 4; ++j) gw[i] += g[i + 4 * j] * whole.parameters[j];
      c += gw[i] * whole.parameters[i];
    }
    Vector v{1, 0.3, -0.2, 0.5};
    double curvature = 0;
    for (int k = 0; k < 500; ++k) {
      Vector next(4);
      double length = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        for (std::size_t j = 0; j < 4; ++j) next[i] += (8 * gw[i] * gw[j] + 4 * (c - 1) * g[i + 4 * j]) * v[j];
        length += next[i] * next[i];
      }
      curvature = std::sqrt(length);
      for (std::size_t i = 0; i < 4; ++i) v[i] = next[i] / curvature;
    }
    const double found = sharpness(network, grid, columns(x, 4, own), SimplifiedBarlowTwins{}, pairs, 500);
    EXPECT_NEAR(found, curvature, 1e-5 * curvature);
  });
  EXPECT_DOUBLE_EQ(stable_rate_at(8, 0.5), 0.375);
}

TEST(Optimiser, RefusesNumbersOutOfRange) {
  EXPECT_NO_THROW(validate(Optimiser{}));
  EXPECT_THROW(validate(Optimiser{0}), Error);
  EXPECT_THROW(validate(Optimiser{0.1, 1}), Error);
  EXPECT_THROW(validate(Optimiser{0.1, 0, -1}), Error);
  EXPECT_THROW(validate(Optimiser{0.1, 0, 0, true, 0}), Error);
}

}  // namespace
}  // namespace stepwise
