#include "stepwise/sim/width_study.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "sim/networks.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/core/stop.hpp"
#include "stepwise/sim/linearised.hpp"
#include "stepwise/sim/tangent_kernel.hpp"
#include "stepwise/sim/width_fit.hpp"

namespace stepwise::test {
namespace {

constexpr std::int64_t inputs = 6;
constexpr std::int64_t samples = 16;

FullyConnected one_hidden_layer(std::int64_t width, std::int64_t outputs, const Activation& activation) {
  return {fully_connected(NetworkKernel::ntk, {AffineLayer{1, 0}, AffineLayer{1, 0}}, activation), inputs, width,
          outputs, 1};
}

Activation hyperbolic_tangent() {
  return parse_activation("tanh");
}

/// Sides that the inputs tell.
Logistic sides_of(const Vector& x) {
  Logistic logistic;
  for (std::int64_t s = 0; s < samples; ++s) {
    logistic.sides.push_back(x[static_cast<std::size_t>(s * inputs)] > 0 ? 1 : -1);
  }
  return logistic;
}

WidthRun classification(std::int64_t width, std::uint64_t seed, const Vector& x, const WidthScaling& scaling) {
  return {.network = one_hidden_layer(width, 1, hyperbolic_tangent()),
          .seed = seed,
          .loss = sides_of(x),
          .rate = 1,
          .steps = 60,
          .scaling = scaling,
          .ratio = static_cast<double>(width) / 32,
          .linearised = false};
}

const std::vector<std::int64_t> widths{32, 128, 512, 2048};

/// Results of several seeds at each width.
std::vector<WidthResult> sweep(const std::function<WidthRun(std::int64_t, std::uint64_t)>& run, const Vector& x,
                               std::uint64_t seeds = 4) {
  std::vector<WidthResult> results;
  for (const std::int64_t width : widths) {
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      results.push_back(train_width(run(width, seed), columns(x, inputs), Pairing{}));
    }
  }
  return results;
}

WidthExponent exponent(const std::vector<WidthResult>& results, double WidthResult::*value) {
  Vector values;
  for (const WidthResult& result : results) values.push_back(result.*value);
  return fit_exponent(widths, values);
}

TEST(WidthScaling, TheReferenceIsTheSameInAllOfThem) {
  const Vector x = normal_columns(inputs, samples, 3);
  const WidthResult reference = train_width(classification(32, 7, x, width_scaling("ntk")), columns(x, inputs), {});
  EXPECT_LT(reference.loss, reference.start_loss);
  for (const WidthScaling& scaling : width_scalings()) {
    const WidthResult result = train_width(classification(32, 7, x, scaling), columns(x, inputs), {});
    for (const WidthStatistic& statistic : width_statistics) {
      const std::string name = statistic.name;
      if (name == "linearised_error" || name == "limit_distance") continue;
      EXPECT_EQ(result.*statistic.value, reference.*statistic.value) << scaling.name << ' ' << name;
    }
  }
}

TEST(WidthScaling, NetworksStartWithTheExponentsOfTheTheory) {
  const Vector x = normal_columns(inputs, samples, 3);
  for (const WidthScaling& scaling : width_scalings()) {
    const auto run = [&](std::int64_t width, std::uint64_t seed) {
      WidthRun one = classification(width, seed, x, scaling);
      one.steps = 1;
      one.ratio *= 1e4;  // so far up that the faster of two rates is all of the kernel
      return one;
    };
    const InitialExponents expected = initial_exponents(scaling);
    const std::vector<WidthResult> results = sweep(run, x, 6);
    const WidthExponent kernel = exponent(results, &WidthResult::start_kernel);
    EXPECT_NEAR(kernel.value, expected.kernel, 0.05) << scaling.name;
    const WidthExponent outputs = exponent(results, &WidthResult::start_outputs);
    EXPECT_NEAR(outputs.value, expected.outputs, 0.1 + 2 * outputs.error) << scaling.name;
  }
}

TEST(WidthScaling, MeanFieldKernelsMoveHoweverWideAndThoseInNtkScalingDoNot) {
  const Vector x = normal_columns(inputs, samples, 3);
  const auto changes = [&](const char* name) {
    const auto run = [&](std::int64_t width, std::uint64_t seed) {
      return classification(width, seed, x, width_scaling(name));
    };
    return exponent(sweep(run, x), &WidthResult::kernel_change).value;
  };
  EXPECT_NEAR(changes("ntk"), -1, 0.2);
  EXPECT_NEAR(changes("mean-field"), 0, 0.2);
  EXPECT_NEAR(changes("corrected-mean-field"), 0, 0.2);
}

TEST(WidthScaling, RefusesOtherNetworks) {
  TrainedNetwork deep = drawn({.depth = 2, .bias = 0}, alone());
  EXPECT_THROW(scale(deep, width_scaling("mean-field"), 2), Error);
  TrainedNetwork biased = drawn({.depth = 1, .bias = 0.3}, alone());
  EXPECT_THROW(scale(biased, width_scaling("mean-field"), 2), Error);
  EXPECT_THROW(static_cast<void>(width_scaling("mean field")), Error);
}

TEST(WidthStudy, TanhKernelsChangeAsTheInverseWidthAndFeaturesAsItsRoot) {
  const Vector x = normal_columns(inputs, samples, 3);
  const auto run = [&](std::int64_t width, std::uint64_t seed) {
    return WidthRun{.network = one_hidden_layer(width, 2, hyperbolic_tangent()),
                    .seed = seed,
                    .loss = PairLoss(SimplifiedBarlowTwins{}),
                    .rate = 0.05,
                    .steps = 30,
                    .linearised = true};
  };
  const std::vector<WidthResult> results = sweep(run, x);
  EXPECT_NEAR(exponent(results, &WidthResult::feature_change).value, -0.5, 0.1);
  EXPECT_NEAR(exponent(results, &WidthResult::kernel_change).value, -1, 0.2);
  EXPECT_NEAR(exponent(results, &WidthResult::linearised_error).value, -1, 0.3);
  EXPECT_NEAR(exponent(results, &WidthResult::limit_distance).value, -0.5, 0.15);
  EXPECT_NEAR(exponent(results, &WidthResult::weight_distance).value, 0, 0.1);
  EXPECT_NEAR(exponent(results, &WidthResult::neuron_distance).value, -0.5, 0.2);
}

TEST(WidthStudy, FeaturesAreTheRowsOfTheJacobian) {
  TrainedNetwork start = drawn({.depth = 2, .activation = hyperbolic_tangent()}, alone());
  TrainedNetwork now = start;
  for (std::size_t i = 0; i < now.parameters.size(); ++i)
    now.parameters[i] *= 1 + 0.1 * std::sin(static_cast<double>(i));
  const Vector x = normal_columns(start.inputs(), 3, 4);
  const auto jacobian = [&](const TrainedNetwork& network) {
    const Vector rate = rates(network);
    Vector rows;
    for (std::int64_t s = 0; s < 3; ++s) {
      for (std::size_t i = 0; i < network.parameters.size(); ++i) {
        const double step = 1e-6;
        TrainedNetwork up = network;
        TrainedNetwork down = network;
        up.parameters[i] += step;
        down.parameters[i] -= step;
        const Vector f = literal_output(up, x.data() + s * network.inputs());
        const Vector g = literal_output(down, x.data() + s * network.inputs());
        for (std::size_t k = 0; k < f.size(); ++k) rows.push_back(std::sqrt(rate[i]) * (f[k] - g[k]) / (2 * step));
      }
    }
    return rows;
  };
  const Vector after = jacobian(now);
  const Vector before = jacobian(start);
  double moved = 0;
  double square = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    moved += (after[i] - before[i]) * (after[i] - before[i]);
    square += before[i] * before[i];
  }
  EXPECT_NEAR(feature_change(now, start, columns(x, start.inputs())), std::sqrt(moved / square), 1e-7);
}

TEST(WidthStudy, IsPlainTrainingWhateverTheNumberOfInputs) {
  for (const std::int64_t rows : {inputs, 2 * samples}) {
    const Vector x = normal_columns(rows, samples, 3);
    WidthRun run{.network = one_hidden_layer(32, 2, hyperbolic_tangent()),
                 .seed = 9,
                 .loss = PairLoss(SimplifiedBarlowTwins{}),
                 .rate = 0.05,
                 .steps = 20,
                 .linearised = true};
    run.network.inputs = rows;
    const WidthResult result = train_width(run, columns(x, rows), Pairing{});

    const TrainingGrid& grid = alone();
    const Optimiser optimiser{.rate = run.rate};
    NetworkTraining training = begin_network_training(draw_perceptron(run.network, grid.width, run.seed), optimiser);
    const TrainedNetwork start = training.network;
    for (std::int64_t step = 0; step < run.steps; ++step) {
      train(training, grid, columns(x, rows), std::get<PairLoss>(run.loss), Pairing{}, optimiser);
    }
    const SampleMatrix before = tangent_kernel(start, grid, columns(x, rows));
    const SampleMatrix after = tangent_kernel(training.network, grid, columns(x, rows));
    EXPECT_NEAR(result.loss, loss_gradient(training, grid, columns(x, rows), std::get<PairLoss>(run.loss), Pairing{}),
                1e-10);
    EXPECT_NEAR(result.kernel_change, relative_change(after, before, grid.data), 1e-10);
    EXPECT_NEAR(result.feature_change, feature_change(training.network, start, columns(x, rows)), 1e-10);
    EXPECT_NEAR(result.weight_distance, weight_distance(training.network, start.parameters, grid.width).total, 1e-10);

    LinearisedTraining expansion = begin_linearised(start, optimiser);
    expand(expansion, grid.width, columns(x, rows));
    for (std::int64_t step = 0; step < run.steps; ++step) {
      train(expansion, grid, columns(x, rows), std::get<PairLoss>(run.loss), Pairing{}, optimiser);
    }
    Vector f(training.pass.outputs.size());
    linearised_outputs(expansion, grid.width, columns(x, rows), f);
    double square = 0;
    for (std::size_t i = 0; i < f.size(); ++i) square += std::pow(f[i] - training.pass.outputs[i], 2);
    EXPECT_NEAR(result.linearised_error, std::sqrt(square / static_cast<double>(f.size())) / result.output_change,
                1e-8);
  }
}

TEST(WidthStudy, ADivergedTrainingSaysWhereAndLeavesNoNumbers) {
  const Vector x = normal_columns(inputs, samples, 3);
  const WidthRun run{.network = one_hidden_layer(64, 2, hyperbolic_tangent()),
                     .seed = 1,
                     .loss = PairLoss(SimplifiedBarlowTwins{}),
                     .rate = 1e3,
                     .steps = 50};
  const WidthResult result = train_width(run, columns(x, inputs), Pairing{});
  EXPECT_TRUE(diverged(run, result));
  EXPECT_GE(result.steps, 0);
  EXPECT_TRUE(std::isfinite(result.start_loss));
  EXPECT_TRUE(std::isnan(result.loss));
  EXPECT_TRUE(std::isnan(result.kernel_change));
}

TEST(WidthStudy, LogisticLossIsOfOneOutputAndASideForEachSample) {
  const Vector x = normal_columns(inputs, samples, 3);
  WidthRun run = classification(8, 1, x, width_scaling("ntk"));
  run.network.outputs = 2;
  EXPECT_THROW(static_cast<void>(train_width(run, columns(x, inputs), Pairing{})), Error);
  run.network.outputs = 1;
  run.loss = Logistic{{1, -1}};
  EXPECT_THROW(static_cast<void>(train_width(run, columns(x, inputs), Pairing{})), Error);
}

TEST(WidthStudy, StopsWhenAsked) {
  const Vector x = normal_columns(inputs, samples, 3);
  request_stop();
  EXPECT_THROW(
      static_cast<void>(train_width(classification(8, 1, x, width_scaling("ntk")), columns(x, inputs), Pairing{})),
      Error);
  forget_stop_request();
}

}  // namespace
}  // namespace stepwise::test
