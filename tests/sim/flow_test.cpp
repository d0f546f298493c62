#include "stepwise/sim/flow.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "sim/problem.hpp"
#include "stepwise/theory/timescales.hpp"
#include "support/lapack.hpp"

namespace stepwise::test {
namespace {

constexpr std::int64_t d = 3;
constexpr double tolerance = 1e-10;

/// W = U S G^T with the leading eigenvectors G of Gamma and an orthogonal U: the start from which the modes never mix.
struct Aligned {
  std::vector<double> gamma;
  std::vector<double> u;
  std::vector<double> g;
  std::vector<double> w;

  Aligned(const Problem& p, const std::vector<double>& s0) {
    const SequentialEigen eigen = sequential_eigen(naive_gamma(p), p.features);
    gamma = eigen.values;
    g = {eigen.vectors.begin(), eigen.vectors.begin() + d * p.features};
    std::vector<double> a = normal_matrix(1, d, {0, d});
    u = sequential_eigen(naive_product(a, transposed(a, d), d, d), d).vectors;
    w = start(s0);
  }
  [[nodiscard]] std::vector<double> start(const std::vector<double>& s) const {
    std::vector<double> us = u;
    for (std::size_t i = 0; i < us.size(); ++i) us[i] *= s[i / d];
    return naive_product(us, transposed(g, static_cast<std::int64_t>(g.size()) / d), d, d);
  }
};

TEST(Flow, FromAnAlignedStartIsTheClosedForm) {
  // f(x, t) = U S(t) G^T x with s_j(t) = e^{4 g t} / sqrt(s_j(0)^-2 + (e^{8 g t} - 1) g), g = gamma_j.
  const std::vector<double> s0 = {1e-3, 2e-3, 5e-4};
  for (const std::int64_t views : {2, 3}) {
    const Problem p = make_problem(30, 5, views);
    const Aligned aligned(p, s0);
    const double end = 1.5 * timescale(aligned.gamma[d - 1], s0[d - 1]);
    BlockVector f0 = make_block_vector(world(), p.samples, d, views);
    const MatrixModel linear = linear_model(p.own, d, p.samples, world(), p.pairing);
    linear.embed(view(aligned.w, d), f0.local());
    const MatrixModel kernel = kernel_model(product_with(LinearKernel{}, p), f0, world(), p.pairing);
    Training explicit_features{aligned.w};
    Training dual{std::vector<double>(f0.data.size())};
    for (int point = 1; point <= 5; ++point) {
      const double t = end * point / 5;
      std::vector<double> s;
      double loss = 0;
      for (std::size_t j = 0; j < d; ++j) {
        const double g = aligned.gamma[j];
        s.push_back(std::exp(4 * g * t) / std::sqrt(1 / (s0[j] * s0[j]) + std::expm1(8 * g * t) * g));
        loss += std::pow(1 - g * s[j] * s[j], 2);
      }
      const std::vector<double> expected = naive_product(aligned.start(s), p.data, d, p.features);
      const auto check = [&](const MatrixModel& model, Training& training) {
        const Outcome outcome = flow(correlation_dynamics(model, {}), tolerance, t, training);
        EXPECT_FALSE(outcome.diverged);
        EXPECT_EQ(training.time, t);
        EXPECT_NEAR(outcome.loss, loss, 1e-8);
        std::vector<double> f(f0.data.size());
        model.embed(view(training.x, d), view(f, d));
        EXPECT_LT(difference(replicate(f, d, p), expected), 1e-8);
      };
      check(linear, explicit_features);
      check(kernel, dual);
    }
  }
}

TEST(Flow, OfAWholeModeMatrixFollowsThePaper) {
  // Fig. 6 (d = 3, m = 5, gamma_j = 2^-j, alpha = 1e-9): A is upper triangular at the start; above the diagonal
  // a_jk(t) = a_jk(0) (s_j(t) / s_j(0))^(gamma_k / gamma_j) while mode k has not been learned; below it entries stay
  // small, for they only have to make C diagonal.
  constexpr std::int64_t m = 5;
  constexpr double alpha = 1e-9;
  std::vector<double> gamma;
  for (int j = 1; j <= m; ++j) gamma.push_back(std::pow(2.0, -j));
  std::vector<double> start = normal_matrix(alpha, d, {0, m});
  for (std::size_t k = 0; k < m; ++k) {
    for (std::size_t j = 0; j < d; ++j) {
      if (j > k) start[j + k * d] = 0;
      if (j == k) start[j + k * d] = std::abs(start[j + k * d]);
    }
  }
  Training training{start};
  const Dynamics dynamics = correlation_dynamics(diagonal_model(gamma, d, world()), {});
  const double end = 1.2 * timescale(gamma[d - 1], start[(d - 1) * (d + 1)]);
  for (int point = 1; point <= 40; ++point) {
    flow(dynamics, tolerance, end * point / 40, training);
    for (std::size_t j = 0; j < d; ++j) {
      const double s0 = start[j * (d + 1)];
      const double s = singular_value(gamma[j], s0, training.time);
      const double lambda_error = gamma[j] * (std::pow(training.x[j * (d + 1)], 2) - s * s);
      EXPECT_NEAR(lambda_error, 0, 1e-6);
      for (std::size_t k = j + 1; k < m; ++k) {
        const double entry = start[j + k * d] * std::pow(s / s0, gamma[k] / gamma[j]);
        // What mode j takes over from modes learned meanwhile is smaller by alpha^(1/4).
        const double lambda_k = k < d ? lambda(gamma[k], start[k * (d + 1)], training.time) : 0;
        if (lambda_k < 1e-3) {
          EXPECT_NEAR(training.x[j + k * d] / entry, 1, 0.03) << j << ", " << k << " at " << training.time;
        }
      }
      for (std::size_t k = 0; k < j; ++k) EXPECT_LT(std::abs(training.x[j + k * d]), 1e-3);
    }
  }
}

TEST(Flow, GoesOnToTheBitAfterAnInterruption) {
  const Problem p = make_problem(30, 7);
  const MatrixModel linear = linear_model(p.own, d, p.samples, world(), p.pairing);
  BlockVector f0 = make_block_vector(world(), p.samples, d, 2);
  f0.data = normal_matrix(1e-3, d, p.range);
  const MatrixModel kernel = kernel_model(product_with(RbfKernel{2}, p), f0, world(), p.pairing);
  for (const auto& [model, start] : {std::pair{linear, normal_matrix(1e-3, d, {0, p.features})},
                                     std::pair{kernel, std::vector<double>(f0.data.size())}}) {
    const Dynamics dynamics = correlation_dynamics(model, {});
    Training whole{start};
    Training parts{start};
    flow(dynamics, 1e-8, 5, whole);
    flow(dynamics, 1e-8, 10, whole);
    int calls = 0;
    for (const double until : {5, 10}) {
      while (parts.time < until) {
        Training resumed{parts.x, parts.time, parts.steps, parts.step_size, parts.start_loss};
        flow(dynamics, 1e-8, until, resumed, 4);
        parts = resumed;
        ++calls;
      }
    }
    EXPECT_GT(calls, 2);
    EXPECT_EQ(parts.x, whole.x);
    EXPECT_EQ(parts.steps, whole.steps);
    EXPECT_EQ(parts.step_size, whole.step_size);
    descend(dynamics, 0.1, 50, whole);
    for (int part = 0; part < 5; ++part) descend(dynamics, 0.1, 10, parts);
    EXPECT_EQ(parts.x, whole.x);
  }
}

TEST(Flow, SeesThatItFails) {
  std::vector<double> x = {1, 1};
  Training training{x};
  Dynamics dynamics{1, 2, &world(), {}};
  dynamics.velocity = [](MatrixView<const double> at, MatrixView<double> v) {
    v(0, 0) = at(0, 0);
    v(0, 1) = at(0, 1);
    return at(0, 0);  // grows with time
  };
  EXPECT_TRUE(flow(dynamics, tolerance, 10, training).diverged);
  EXPECT_LT(training.time, 1);
  dynamics.velocity = [](MatrixView<const double> at, MatrixView<double> v) {
    const bool far = at(0, 0) > 1.5;
    v(0, 0) = v(0, 1) = far ? std::nan("") : 1;
    return far ? std::nan("") : -at(0, 0);
  };
  training = {x};
  EXPECT_TRUE(flow(dynamics, tolerance, 10, training).diverged);
  EXPECT_NEAR(training.x[0], 1.5, 0.1);
}

}  // namespace
}  // namespace stepwise::test
