#include "stepwise/sim/matrix_model.hpp"

#include <gtest/gtest.h>

#include "sim/problem.hpp"
#include "stepwise/theory/timescales.hpp"
#include "support/lapack.hpp"

namespace stepwise::test {
namespace {

constexpr std::int64_t d = 3;

double first_gamma(const Problem& p) {
  return sequential_eigen(naive_gamma(p), p.features).values.front();
}

TEST(LinearModel, DescentIsTheNaiveOne) {
  for (const std::int64_t views : {2, 3}) {
    const Problem p = make_problem(40, 7, views);
    const std::vector<double> gamma = naive_gamma(p);
    std::vector<double> w = normal_matrix(0.05, d, {0, p.features});
    const double rate = 0.3 * stable_rate(first_gamma(p));
    Training training{w};
    const MatrixModel model = linear_model(p.own, d, p.samples, world(), p.pairing);
    const Outcome outcome = descend(correlation_dynamics(model, {}), rate, 100, training);
    Training by_features{w};
    descend(correlation_dynamics(linear_model(p.own, d, p.samples, world(), p.pairing, true), {}), rate, 100,
            by_features);
    EXPECT_LT(difference(by_features.x, training.x), 1e-12);
    double loss = 0;
    for (int step = 0; step < 100; ++step) {
      const auto y = naive_product(w, gamma, d, p.features);
      auto e = naive_product(y, transposed(w, d), d, p.features);
      for (std::size_t i = 0; i < e.size(); ++i) e[i] = (i % (d + 1) == 0 ? 1 : 0) - e[i];
      loss = 0;
      for (const double x : e) loss += x * x;
      const auto v = naive_product(e, y, d, d);
      for (std::size_t i = 0; i < w.size(); ++i) w[i] += rate * 4 * v[i];
    }
    EXPECT_FALSE(outcome.diverged);
    EXPECT_EQ(training.steps, 100);
    EXPECT_DOUBLE_EQ(training.time, 100 * rate);
    EXPECT_NEAR(outcome.loss, loss, 1e-12);
    EXPECT_LT(loss, 2.5);  // something was learned
    EXPECT_LT(difference(training.x, w), 1e-12);
    std::vector<double> f(static_cast<std::size_t>(d * p.range.size()));
    model.embed(view(training.x, d), view(f, d));
    EXPECT_LT(difference(replicate(f, d, p), naive_product(w, p.data, d, p.features)), 1e-12);
  }
}

TEST(KernelModel, WithALinearKernelIsTheLinearModel) {
  for (const std::int64_t views : {2, 3}) {
    const Problem p = make_problem(40, 7, views);
    const MatrixModel linear = linear_model(p.own, d, p.samples, world(), p.pairing);
    Training explicit_features{normal_matrix(1e-3, d, {0, p.features})};
    BlockVector f0 = make_block_vector(world(), p.samples, d, views);
    linear.embed(view(explicit_features.x, d), f0.local());
    Training dual{std::vector<double>(f0.data.size())};
    const MatrixModel kernel = kernel_model(product_with(LinearKernel{}, p), f0, world(), p.pairing);
    const double rate = 0.9 * stable_rate(first_gamma(p));
    const Dynamics linear_dynamics = correlation_dynamics(linear, {});
    const Dynamics kernel_dynamics = correlation_dynamics(kernel, {});
    for (int part = 0; part < 5; ++part) {
      const Outcome one = descend(linear_dynamics, rate, 40, explicit_features);
      const Outcome other = descend(kernel_dynamics, rate, 40, dual);
      EXPECT_NEAR(one.loss, other.loss, 1e-9);
      std::vector<double> f(f0.data.size());
      std::vector<double> g(f0.data.size());
      linear.embed(view(explicit_features.x, d), view(f, d));
      kernel.embed(view(dual.x, d), view(g, d));
      EXPECT_LT(difference(replicate(f, d, p), replicate(g, d, p)), 1e-9);
      if (part == 4) {
        EXPECT_LT(one.loss, 0.1);
      }
    }
  }
}

TEST(KernelModel, TakesProductsOfEveryStorage) {
  const Problem p = make_problem(20, 5);
  const Kernel rbf = RbfKernel{2};
  BlockVector f0 = make_block_vector(world(), p.samples, d, 2);
  f0.data = normal_matrix(0.05, d, p.range);
  const auto trained = [&](const ProductWithK& product) {
    Training training{std::vector<double>(f0.data.size())};
    descend(correlation_dynamics(kernel_model(product, f0, world(), p.pairing), {}), 0.1, 60, training);
    return replicate(training.x, d, p);
  };
  const std::vector<double> stored = trained(product_with(rbf, p));
  const KernelProduct<double> evaluated(rbf, p.own, world(), p.samples, 2);
  EXPECT_LT(difference(trained([&](auto v, auto y) { evaluated(v, y); }), stored), 1e-12);
  const SingleSamples single = to_single(p.own);
  KernelProduct<float> rough(rbf, single, world(), p.samples, 2);
  rough.store({});
  EXPECT_LT(difference(trained([&](auto v, auto y) { rough(v, y); }), stored), 1e-4);
}

}  // namespace
}  // namespace stepwise::test
