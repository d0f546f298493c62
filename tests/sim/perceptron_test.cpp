#include "stepwise/sim/perceptron.hpp"

#include <gtest/gtest.h>

#include "networks.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

using test::columns;
using test::NetworkOptions;
using test::Vector;

constexpr std::int64_t n = 6;

/// Rectifiers last: their central differences are exact away from the bend.
const std::vector<Activation> activations{scalar_activation("tanh"), ErrorFunction{}, Gelu{},     Sine{},
                                          scalar_activation("silu"), Rectifier{0.2},  Rectifier{}};

TEST(Activations, OfArraysAreThoseOfNumbers) {
  Vector numbers;
  for (int i = -400; i <= 400; ++i) numbers.push_back(i * 0.05 * std::abs(i) / 40);
  for (const Activation& activation : activations) {
    Vector z = numbers;
    Vector slopes(z.size());
    activate(activation, z, slopes);
    for (std::size_t i = 0; i < z.size(); ++i) {
      EXPECT_NEAR(z[i], value(activation, numbers[i]), 1e-14 * (1 + std::abs(numbers[i])));
      EXPECT_NEAR(slopes[i], derivative(activation, numbers[i]), 1e-14) << numbers[i] << describe(activation);
    }
  }
}

TEST(TrainedNetwork, GivesTheOutputsOfItsFormulaAndGradientsOfCentralDifferences) {
  for (const bool standard : {false, true}) {
    for (std::size_t which = 0; which < activations.size(); ++which) {
      const int depth = static_cast<int>(which % 4);
      const NetworkOptions options{depth, activations[which], standard, which % 2 == 0 ? 0.3 : 0};
      TrainedNetwork network = test::drawn(options, test::alone());
      const Vector x = test::normal_columns(options.inputs, n, 2);
      const Vector weights = test::normal_columns(options.outputs, n, 3);  // of the outputs in a linear loss
      const auto loss = [&] {
        double sum = 0;
        for (std::int64_t s = 0; s < n; ++s) {
          const Vector f = test::literal_output(network, x.data() + s * options.inputs);
          for (std::size_t j = 0; j < f.size(); ++j) {
            sum += weights[static_cast<std::size_t>(s * options.outputs) + j] * (f[j] + 0.5 * f[j] * f[j]);
          }
        }
        return sum;
      };
      NetworkPass pass;
      const auto batch = columns(x, options.inputs);
      forward(network, test::alone().width, batch, pass);
      Vector by_output(pass.outputs.size());
      for (std::int64_t s = 0; s < n; ++s) {
        const Vector f = test::literal_output(network, x.data() + s * options.inputs);
        for (std::size_t j = 0; j < f.size(); ++j) {
          const std::size_t i = static_cast<std::size_t>(s * options.outputs) + j;
          EXPECT_NEAR(pass.outputs[i], f[j], 1e-13);
          by_output[i] = weights[i] * (1 + f[j]);
        }
      }
      Vector gradient(network.parameters.size(), 9.0);
      backward(network, test::alone().width, batch, pass, columns(by_output, options.outputs), gradient);
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        double& w = network.parameters[i];
        const double kept = w;
        constexpr double step = 1e-6;
        w = kept + step;
        const double above = loss();
        w = kept - step;
        const double below = loss();
        w = kept;
        EXPECT_NEAR(gradient[i], (above - below) / (2 * step), 1e-7) << describe(activations[which]) << ", " << i;
      }
    }
  }
}

TEST(TrainedNetwork, IsTheSameOnEveryGrid) {
  for (const int depth : {0, 1, 3}) {
    const NetworkOptions options{depth, Gelu{}};
    const TrainedNetwork expected = test::drawn(options, test::alone());
    const Vector x = test::normal_columns(options.inputs, n, 2);
    const Vector by_output = test::normal_columns(options.outputs, n, 3);
    NetworkPass whole;
    forward(expected, test::alone().width, columns(x, options.inputs), whole);
    Vector gradient(expected.parameters.size());
    backward(expected, test::alone().width, columns(x, options.inputs), whole, columns(by_output, options.outputs),
             gradient);
    Vector moved = expected.parameters;
    for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += gradient[i];
    TrainedNetwork after = expected;
    after.parameters = moved;
    const WeightDistance distance = weight_distance(after, expected.parameters, test::alone().width);
    test::on_every_training_grid([&](const TrainingGrid& grid) {
      TrainedNetwork network = test::drawn(options, grid);
      EXPECT_EQ(network.parameters, test::own_part(expected, network, expected.parameters));
      const Range own = sample_share(grid.data, n, 2);
      const auto batch = columns(x, options.inputs, own);
      NetworkPass pass;
      forward(network, grid.width, batch, pass);
      const Vector part(whole.outputs.begin() + own.begin * options.outputs,
                        whole.outputs.begin() + own.end * options.outputs);
      EXPECT_LT(test::largest_difference(pass.outputs, part), 1e-13);
      Vector own_gradient(network.parameters.size());
      backward(network, grid.width, batch, pass, columns(by_output, options.outputs, own), own_gradient);
      sum(grid.data, own_gradient);
      EXPECT_LT(test::largest_difference(own_gradient, test::own_part(expected, network, gradient)), 1e-12);
      const Vector start = network.parameters;
      network.parameters = test::own_part(expected, network, moved);
      const WeightDistance there = weight_distance(network, start, grid.width);
      EXPECT_NEAR(there.total, distance.total, 1e-12 * distance.total);
      EXPECT_LT(test::largest_difference(there.layers, distance.layers), 1e-12 * distance.total);
    });
  }
}

TEST(TrainedNetwork, AlphaScalesTheReadoutAlone) {
  const TrainedNetwork plain = test::drawn({}, test::alone());
  NetworkOptions options;
  options.alpha = 1e-3;
  const TrainedNetwork small = test::drawn(options, test::alone());
  const auto readout = static_cast<std::size_t>(plain.layers.back().weights.begin);
  for (std::size_t i = 0; i < plain.parameters.size(); ++i) {
    const double scale = i < readout ? 1 : 1e-3;
    EXPECT_DOUBLE_EQ(small.parameters[i], scale * plain.parameters[i]);
  }
}

TEST(TrainedNetwork, WeightsHaveTheVariancesAskedFor) {
  NetworkOptions options;
  options.width = 200;
  options.inputs = 50;
  const TrainedNetwork network = test::drawn(options, test::alone());
  for (const TrainedLayer& layer : network.layers) {
    double squares = 0;
    for (std::int64_t i = layer.weights.begin; i < layer.weights.end; ++i) {
      squares += std::pow(network.parameters[static_cast<std::size_t>(i)], 2);
    }
    const auto count = static_cast<double>(layer.weights.size());
    EXPECT_NEAR(squares / count * static_cast<double>(layer.inputs), 1.7, 1.7 * 5 * std::sqrt(2 / count));
  }
}

TEST(TrainedNetwork, DistancesAreThoseOfTheNumbersThatAreTrained) {
  const NetworkOptions options;
  TrainedNetwork network = test::drawn(options, test::alone());
  const Vector start = network.parameters;
  const Vector factors = test::rates(network);
  for (std::size_t i = 0; i < start.size(); ++i) network.parameters[i] += std::sqrt(factors[i]);
  const WeightDistance distance = weight_distance(network, start, test::alone().width);
  EXPECT_NEAR(distance.total, std::sqrt(static_cast<double>(start.size())), 1e-12);
  const TrainedLayer& first = network.layers.front();
  EXPECT_NEAR(distance.layers.front(), std::sqrt(static_cast<double>(first.weights.size() + first.biases.size())),
              1e-12);
}

TEST(TrainedNetwork, RefusesWhatIsNoNetworkToTrain) {
  FullyConnected of = test::describe_network({});
  of.width = 0;
  EXPECT_THROW(static_cast<void>(draw_perceptron(of, test::alone().width, 1)), Error);
  of = test::describe_network({});
  of.layers.layers.emplace_back(Activation{Gelu{}});
  EXPECT_THROW(static_cast<void>(draw_perceptron(of, test::alone().width, 1)), Error);
  of = test::describe_network({0});
  std::get<AffineLayer>(of.layers.layers.front()).tangent = TangentWeights{};
  EXPECT_THROW(static_cast<void>(draw_perceptron(of, test::alone().width, 1)), Error);
  EXPECT_THROW(static_cast<void>(make_training_grid(test::world(), test::world().size() + 1)), CollectiveError);
}

}  // namespace
}  // namespace stepwise
