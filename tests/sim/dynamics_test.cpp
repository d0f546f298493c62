#include "stepwise/sim/dynamics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "sim/problem.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/sim/flow.hpp"
#include "stepwise/sim/supervised_flow.hpp"
#include "support/lapack.hpp"

namespace stepwise::test {
namespace {

constexpr std::int64_t d = 3;

const std::vector<Objective> every_objective = {
    {{Shaping::plain}},   {{Shaping::sharpened}},   {{Shaping::smoothed, 0}},  {{Shaping::smoothed, 0.3}},
    {{Shaping::quartic}}, {{Shaping::plain}, 0.05}, {{Shaping::quartic}, 0.05}};

/// The linear model, as it is, and its largest gamma.
struct Linear {
  Problem p = make_problem(30, 5);
  MatrixModel model = linear_model(p.own, d, p.samples, world(), p.pairing, true);
  double gamma_1 = sequential_eigen(naive_gamma(p), p.features).values.front();
  [[nodiscard]] std::vector<double> start(double alpha) const { return normal_matrix(alpha, d, {0, p.features}); }
};

TEST(Dynamics, VelocityIsTheGradientOfTheLoss) {
  const Linear linear;
  const std::vector<double> gamma = naive_gamma(linear.p);
  std::vector<double> w = linear.start(0.7);
  const auto c_of = [&](const std::vector<double>& at) {
    return naive_product(naive_product(at, gamma, d, linear.p.features), transposed(at, d), d, linear.p.features);
  };
  for (const Objective& objective : every_objective) {
    std::vector<double> v(w.size());
    const Dynamics dynamics = correlation_dynamics(linear.model, objective);
    const double loss = dynamics.velocity(view(w, d), view(v, d));
    EXPECT_NEAR(loss, evaluate(objective.loss, view(c_of(w), d)).loss, 1e-12);
    if (objective.preconditioning) {  // undo it: v <- (F F^T / N + a I) v
      const auto f = naive_product(w, linear.p.data, d, linear.p.features);
      std::vector<double> metric = naive_product(f, transposed(f, d), d, linear.p.samples);
      for (double& x : metric) x /= static_cast<double>(linear.p.samples);
      for (std::size_t j = 0; j < d; ++j) metric[j * (d + 1)] += *objective.preconditioning;
      v = naive_product(metric, v, d, d);
    }
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double h = 1e-5;
      const double before = w[i];
      w[i] = before + h;
      const double up = evaluate(objective.loss, view(c_of(w), d)).loss;
      w[i] = before - h;
      const double down = evaluate(objective.loss, view(c_of(w), d)).loss;
      w[i] = before;
      EXPECT_NEAR(-(up - down) / (2 * h), v[i], 1e-6 * std::max(1.0, std::abs(v[i])));
    }
  }
}

TEST(Dynamics, KernelModelIsTheLinearOneUnderEveryObjective) {
  Linear linear;
  const Problem& p = linear.p;
  BlockVector f0 = make_block_vector(world(), p.samples, d, 2);
  const std::vector<double> start = linear.start(0.05);
  linear.model.embed(view(start, d), f0.local());
  const MatrixModel kernel = kernel_model(product_with(LinearKernel{}, p), f0, world(), p.pairing, true);
  for (const Objective& objective : every_objective) {
    Training explicit_features{start};
    Training dual{std::vector<double>(f0.data.size())};
    const double rate = 0.05 * stable_rate(linear.gamma_1);
    const Outcome one = descend(correlation_dynamics(linear.model, objective), rate, 40, explicit_features);
    const Outcome other = descend(correlation_dynamics(kernel, objective), rate, 40, dual);
    EXPECT_FALSE(one.diverged);
    EXPECT_LT(one.loss, *explicit_features.start_loss);
    EXPECT_NEAR(one.loss, other.loss, 1e-9);
    std::vector<double> f(f0.data.size());
    std::vector<double> g(f0.data.size());
    linear.model.embed(view(explicit_features.x, d), view(f, d));
    kernel.embed(view(dual.x, d), view(g, d));
    EXPECT_LT(difference(replicate(f, d, p), replicate(g, d, p)), 1e-9);
  }
}

TEST(Dynamics, KernelModelIsEulersMethodInFunctionSpace) {
  // dF/dt = (4 / N) (I - C) F P K, C = F P F^T / N, on the whole matrices.
  const Problem p = make_problem(20, 5);
  const auto n = static_cast<std::size_t>(p.samples);
  const Kernel rbf = RbfKernel{2};
  std::vector<double> k(n * n);
  const Samples all = make_samples(p.features, p.data);
  evaluate(rbf, all, {0, p.samples}, all, {0, p.samples}, view(k, p.samples));
  std::vector<double> f = normal_matrix(0.05, d, {0, p.samples});
  BlockVector f0 = make_block_vector(world(), p.samples, d, 2);
  f0.data = normal_matrix(0.05, d, p.range);
  const MatrixModel model = kernel_model(product_with(rbf, p), f0, world(), p.pairing);
  Training training{std::vector<double>(f0.data.size())};
  descend(correlation_dynamics(model, {}), 0.1, 100, training);
  for (int step = 0; step < 100; ++step) {
    std::vector<double> fp = f;
    for (std::size_t i = 0; i < n; i += 2) {
      std::swap_ranges(fp.begin() + static_cast<std::ptrdiff_t>(i * d),
                       fp.begin() + static_cast<std::ptrdiff_t>((i + 1) * d),
                       fp.begin() + static_cast<std::ptrdiff_t>((i + 1) * d));
    }
    std::vector<double> e = naive_product(fp, transposed(f, d), d, p.samples);
    for (std::size_t i = 0; i < e.size(); ++i) e[i] = (i % (d + 1) == 0 ? 1 : 0) - e[i] / static_cast<double>(n);
    const auto push = naive_product(e, naive_product(fp, k, d, p.samples), d, d);
    for (std::size_t i = 0; i < f.size(); ++i) f[i] += 0.1 * 4 / static_cast<double>(n) * push[i];
  }
  std::vector<double> own(f0.data.size());
  model.embed(view(training.x, d), view(own, d));
  EXPECT_LT(difference(replicate(own, d, p), f), 1e-11);
}

TEST(Dynamics, TurningTheOutputsCommutesWithTraining) {
  const Linear linear;
  const std::vector<double> w = linear.start(0.05);
  const std::vector<double> a = normal_matrix(1, d, {0, d});
  const std::vector<double> u = sequential_eigen(naive_product(a, transposed(a, d), d, d), d).vectors;
  for (const Objective& objective : every_objective) {
    const Dynamics dynamics = correlation_dynamics(linear.model, objective);
    Training training{w};
    Training turned{naive_product(u, w, d, d)};
    descend(dynamics, 0.05 * stable_rate(linear.gamma_1), 50, training);
    descend(dynamics, 0.05 * stable_rate(linear.gamma_1), 50, turned);
    EXPECT_LT(difference(turned.x, naive_product(u, training.x, d, d)), 1e-11);
  }
}

TEST(Dynamics, StableRateIsWhereDescentStopsConverging) {
  // As many modes as outputs: with more of them descent may leave the first one, for a flatter minimum.
  const Dynamics dynamics = correlation_dynamics(diagonal_model({0.7, 0.4}, 2, world()), {});
  const double limit = stable_rate(0.7);
  const std::vector<double> start = {0.1, 0.02, -0.03, 0.1};
  Training below{start};
  Training above{start};
  EXPECT_LT(descend(dynamics, 0.98 * limit, 2000, below).loss, 1e-8);
  EXPECT_GT(descend(dynamics, 1.02 * limit, 2000, above).loss, 1e-6);
}

TEST(Dynamics, DivergenceIsAValue) {
  const Linear linear;
  const Dynamics dynamics = correlation_dynamics(linear.model, {});
  const double rate = 6 * stable_rate(linear.gamma_1);
  Training training{linear.start(1e-4)};
  const Outcome outcome = descend(dynamics, rate, 1000, training);
  EXPECT_TRUE(outcome.diverged);
  EXPECT_GT(outcome.loss, *training.start_loss);
  EXPECT_GT(training.steps, 3);
  EXPECT_LT(training.steps, 100);
  EXPECT_DOUBLE_EQ(training.time, rate * static_cast<double>(training.steps));
  const std::int64_t steps = training.steps;
  EXPECT_TRUE(descend(dynamics, rate, 1000, training).diverged);
  EXPECT_EQ(training.steps, steps);
  Training broken{linear.start(1e-2)};
  broken.x.front() = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(descend(dynamics, rate, 10, broken).diverged);
  EXPECT_EQ(broken.steps, 0);
}

TEST(Dynamics, PreconditioningIsRefusedWhereItMeansNothing) {
  const Linear linear;
  EXPECT_THROW((void)correlation_dynamics(linear.model, {{}, 0.0}), Error);
  EXPECT_THROW((void)correlation_dynamics(diagonal_model({1, 0.5}, 2, world()), {{}, 0.1}), Error);
}

TEST(SupervisedFlow, IsTheClosedForm) {
  // f_t = f_0 - K K^{-1} (I - e^{-K t / N}) (f_0 - y): mode i of K shrinks the residual by e^{-lambda_i t / N}.
  const Problem p = make_problem(15, 4);
  const auto n = static_cast<std::size_t>(p.samples);
  const Kernel rbf = RbfKernel{2};
  std::vector<double> k(n * n);
  const Samples all = make_samples(p.features, p.data);
  evaluate(rbf, all, {0, p.samples}, all, {0, p.samples}, view(k, p.samples));
  const SequentialEigen eigen = sequential_eigen(k, p.samples);
  BlockVector f0 = make_block_vector(world(), p.samples, d, 2);
  f0.data = normal_matrix(0.1, d, p.range);
  BlockVector y = f0;
  for (double& x : y.data) x = std::sin(30 * x);
  const auto product = product_with(rbf, p);
  const Dynamics dynamics = supervised_dynamics(product, f0, y, world());
  const std::vector<double> target = replicate(y.data, d, p);
  const std::vector<double> start = replicate(f0.data, d, p);
  std::vector<double> residual = start;
  for (std::size_t i = 0; i < residual.size(); ++i) residual[i] -= target[i];
  const auto expected = [&](const auto& shrink) {
    std::vector<double> in_modes = naive_product(residual, eigen.vectors, d, p.samples);
    for (std::size_t i = 0; i < in_modes.size(); ++i) in_modes[i] *= shrink(eigen.values[i / d]);
    std::vector<double> f = naive_product(in_modes, transposed(eigen.vectors, p.samples), d, p.samples);
    for (std::size_t i = 0; i < f.size(); ++i) f[i] += target[i];
    return f;
  };
  const auto outputs = [&](const Training& training) {
    std::vector<double> f(f0.data.size());
    product(view(training.x, d), view(f, d));
    for (std::size_t i = 0; i < f.size(); ++i) f[i] += f0.data[i];
    return replicate(f, d, p);
  };
  const double size = static_cast<double>(p.samples);
  Training flowing{std::vector<double>(f0.data.size())};
  for (const double t : {1.0, 10.0, 100.0}) {
    const Outcome outcome = flow(dynamics, 1e-10, t, flowing);
    const std::vector<double> f = expected([&](double l) { return std::exp(-l * t / size); });
    EXPECT_LT(difference(outputs(flowing), f), 1e-8);
    double loss = 0;
    for (std::size_t i = 0; i < f.size(); ++i) loss += std::pow(f[i] - target[i], 2) / (2 * size);
    EXPECT_NEAR(outcome.loss, loss, 1e-9);
  }
  Training descending{std::vector<double>(f0.data.size())};
  const double rate = 0.5 * supervised_stable_rate(eigen.values.front(), p.samples);
  descend(dynamics, rate, 50, descending);
  EXPECT_LT(difference(outputs(descending), expected([&](double l) { return std::pow(1 - rate * l / size, 50); })),
            1e-11);
  Training diverging{std::vector<double>(f0.data.size())};
  EXPECT_TRUE(descend(dynamics, 5 * rate, 500, diverging).diverged);
}

}  // namespace
}  // namespace stepwise::test
