#include "stepwise/kernel/evaluate.hpp"

#include <gtest/gtest.h>
#include <quadmath.h>

#include <array>
#include <cmath>
#include <limits>

#include "stepwise/core/error.hpp"
#include "stepwise/core/random.hpp"

namespace stepwise {
namespace {

using Vector = std::vector<double>;
__extension__ using Quad = __float128;

double entry(const Kernel& kernel, const Vector& x, const Vector& y) {
  const auto m = static_cast<std::int64_t>(x.size());
  double out = 0;
  evaluate(kernel, make_samples(m, x), {0, 1}, make_samples(m, y), {0, 1}, {&out, 1, 1, 1});
  return out;
}

struct ReluNetwork {
  NetworkKernel which;
  std::vector<AffineLayer> layers;
  double negative_slope;
  // NOLINTNEXTLINE(google-explicit-constructor): stands for the kernel
  operator Kernel() const { return fully_connected(which, layers, Rectifier{negative_slope}); }
};

ReluNetwork network(NetworkKernel which, std::size_t depth, AffineLayer hidden, AffineLayer readout, double slope = 0) {
  std::vector<AffineLayer> layers(depth, hidden);
  layers.push_back(readout);
  return {which, layers, slope};
}

constexpr std::array slopes{0.0, 0.01, 0.3, 1.0, -0.5, -1.0};

/// The recursion in its plain form, in 113-bit arithmetic.
Quad reference(const ReluNetwork& net, const Vector& x, const Vector& y) {
  const Quad pi = acosq(-1);
  Quad a = 0;
  Quad b = 0;
  Quad c = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    a += Quad(x[k]) * Quad(x[k]);
    b += Quad(y[k]) * Quad(y[k]);
    c += Quad(x[k]) * Quad(y[k]);
  }
  const auto m = static_cast<Quad>(x.size());
  a /= m;
  b /= m;
  c /= m;
  Quad theta = 0;
  for (std::size_t l = 0; l < net.layers.size(); ++l) {
    if (l > 0) {
      Quad s = a * b - c * c;
      s = s > 0 ? sqrtq(s) : 0;
      const Quad th = atan2q(s, c);
      const Quad slope = net.negative_slope;
      const Quad gain = (1 + slope * slope) / 2;
      const Quad q = (1 - slope) * (1 - slope) / (2 * pi);
      theta *= gain - q * th;
      c = q * s + (gain - q * th) * c;
      a *= gain;
      b *= gain;
    }
    const Quad w = net.layers[l].weight_variance;
    const Quad v = net.layers[l].bias_variance;
    a = w * a + v;
    b = w * b + v;
    c = w * c + v;
    theta = c + w * theta;
  }
  return net.which == NetworkKernel::ntk ? theta : c;
}

double relative_error(double value, Quad expected) {
  return static_cast<double>(fabsq((Quad(value) - expected) / expected));
}

// Reference values in 40-digit arithmetic: networks A, B, C on the inputs x1 .. x6.
const Vector x1{1, 2, -1};
const Vector x2{.5, -1, 3};
const Vector x3{1, 2, -.9};
const Vector x4{0, 0, 0};
const Vector x5{-1, -2, 1};
const Vector x6{2, 4, -2};

struct Reference {
  Vector x, y;
  std::array<double, 6> values;  // A nngp, A ntk, B nngp, B ntk, C nngp, C ntk
};

TEST(ReluNetwork, FortyDigitValues) {
  const std::vector<Reference> table{
      {x1, x1, {2, 4, 2, 8, 2.806875, 8.275625}},
      {x1,
       x2,
       {0.2232688437819224, -0.2349230657893581, 1.360654027685655, 1.869177127632883, 1.406827559704215,
        1.358477831679709}},
      {x1,
       x3,
       {1.966678016370774, 3.909630614627641, 1.966700308227009, 7.726341144151128, 2.764715526689677,
        8.056455766134909}},
      {x1, x5, {0, 0, 0.9874621804007431, 1.371417272565885, 0.9778627753154385, 0.8745139976532139}},
      {x1, x6, {4, 8, 4, 16, 5.340942588779303, 15.18453607627820}},
      {x4, x4, {0, 0, 0, 0, 0.275625, 0.681875}},
  };
  for (std::size_t r = 0; r < table.size(); ++r) {
    for (int which = 0; which < 2; ++which) {
      const auto kind = which == 0 ? NetworkKernel::nngp : NetworkKernel::ntk;
      const std::array<ReluNetwork, 3> nets{network(kind, 1, {2, 0}, {1, 0}), network(kind, 3, {2, 0}, {1, 0}),
                                            network(kind, 2, {2.25, 0.25}, {1, 0.01})};
      for (std::size_t n = 0; n < nets.size(); ++n) {
        const double expected = table[r].values[2 * n + static_cast<std::size_t>(which)];
        EXPECT_NEAR(entry(nets[n], table[r].x, table[r].y), expected, 1e-14 * std::max(std::abs(expected), 0.1))
            << "row " << r << " network " << n << " ntk " << which;
        EXPECT_EQ(entry(nets[n], table[r].x, table[r].y), entry(nets[n], table[r].y, table[r].x));
      }
    }
  }
}

TEST(ReluNetwork, ZeroVectorsGiveNoNan) {
  for (const auto kind : {NetworkKernel::nngp, NetworkKernel::ntk}) {
    EXPECT_EQ(entry(network(kind, 3, {2, 0}, {2, 0}), x4, x1), 0);
    EXPECT_EQ(entry(network(kind, 3, {2, 0}, {2, 0}), x4, x4), 0);
    const auto biased = network(kind, 3, {2, 0.3}, {2, 0.1});
    EXPECT_LT(relative_error(entry(biased, x4, x1), reference(biased, x4, x1)), 1e-14);
  }
}

TEST(ReluNetwork, DepthZeroIsAffine) {
  EXPECT_NEAR(entry(network(NetworkKernel::nngp, 0, {}, {3, 0.5}), x1, x2), 3 * -4.5 / 3 + 0.5, 1e-14);
}

/// Against 113 bits: the error relative to the value.
void expect_accurate(const ReluNetwork& net, const Vector& x, const Vector& y, double bound, const std::string& where) {
  const Quad expected = reference(net, x, y);
  const Quad lengths = sqrtq(reference(net, x, x) * reference(net, y, y));
  // ReLU's own values are sums of non-negative terms, others may cancel between layers.
  const Quad unit = net.negative_slope == 0 ? fabsq(expected) : fmaxq(fabsq(expected), lengths / 50);
  const auto size = static_cast<double>(unit);
  EXPECT_LE(std::abs(static_cast<double>(Quad(entry(net, x, y)) - expected)), bound * size)
      << where << ", slope " << net.negative_slope;
}

/// Views of one image are nearly equal; distances down to 1e-9 of the length must not cost digits.
TEST(ReluNetwork, NearDuplicatesKeepFullAccuracy) {
  const std::size_t m = 300;
  for (const double slope : slopes) {
    for (const double bias : {0.0, 0.2}) {
      for (const auto kind : {NetworkKernel::nngp, NetworkKernel::ntk}) {
        const auto net = network(kind, 4, {1.8, bias}, {1.5, bias / 2}, slope);
        for (const double distance : {1e-1, 1e-2, 1e-4, 1e-6, 1e-9}) {
          for (const double sign : {1.0, -1.0}) {
            for (const double stretch : {1.0, 3.0}) {
              RandomStream random(3, Purpose::probe, 0);
              Vector x(m);
              Vector y(m);
              for (std::size_t k = 0; k < m; ++k) {
                x[k] = random.normal();
                y[k] = sign * stretch * (x[k] + distance * random.normal());
              }
              // Feature distance: the part of the kernel that inner products lose first.
              const Quad d = reference(net, x, x) + reference(net, y, y) - 2 * reference(net, x, y);
              EXPECT_TRUE(d > 0 || slope == -1);  // the absolute value does not see signs: nearly zero is zero there
              expect_accurate(net, x, y, 1e-13,
                              fmt::format("bias {}, distance {}, sign {}, stretch {}", bias, distance, sign, stretch));
            }
          }
        }
      }
    }
  }
}

TEST(ReluNetwork, CollinearAndAntipodalAreExact) {
  const Vector x{0.1, 0.7, -0.3, 1.9};
  for (const double slope : slopes) {
    const auto net = network(NetworkKernel::ntk, 3, {2, 0}, {2, 0}, slope);
    for (const double c : {1.0, 3.0, 7.0, 1e-5, 1e5}) {
      for (const double sign : {1.0, -1.0}) {
        Vector y = x;
        for (double& v : y) v *= sign * c;
        expect_accurate(net, x, y, 2e-14, fmt::format("{} x", sign * c));
      }
    }
  }
}

/// A slope of 1 is no activation, and the absolute value does not see signs.
TEST(ReluNetwork, SlopesOfOneAndMinusOneAreWhatTheySay) {
  const auto linear = network(NetworkKernel::nngp, 2, {2, 0}, {2, 0}, 1);
  EXPECT_NEAR(entry(linear, x1, x2), 8 * -4.5 / 3, 1e-13);
  const auto unbiased = network(NetworkKernel::nngp, 3, {1, 0}, {1, 0}, -1);
  EXPECT_NEAR(entry(unbiased, x5, x2), entry(unbiased, x1, x2), 1e-15);
}

/// Every lane of the vector loops, every chunk boundary, every position in a tile.
TEST(ReluNetwork, TilesAgreeWithSingleEntries) {
  const std::int64_t m = 17;
  const std::int64_t n = 533;
  std::vector<double> data(static_cast<std::size_t>(m * n));
  RandomStream random(5, Purpose::probe, 1);
  for (double& v : data) v = random.normal();
  const Samples samples = make_samples(m, data);
  for (const Kernel& kernel :
       std::vector<Kernel>{Kernel(network(NetworkKernel::ntk, 3, {2, 0.1}, {1, 0})), RbfKernel{3}, LaplaceKernel{2},
                           PolynomialKernel{4, 0.5}, LinearKernel{}}) {
    const Range rows{3, n};
    const Range cols{1, 6};
    std::vector<double> out(static_cast<std::size_t>((rows.size() + 2) * cols.size()));
    const MatrixView<double> view{out.data(), rows.size(), cols.size(), rows.size() + 2};
    evaluate(kernel, samples, rows, samples, cols, view);
    for (std::int64_t j = 0; j < cols.size(); ++j) {
      for (std::int64_t i = 0; i < rows.size(); ++i) {
        double single = 0;
        evaluate(kernel, samples, {rows.begin + i, rows.begin + i + 1}, samples, {cols.begin + j, cols.begin + j + 1},
                 {&single, 1, 1, 1});
        ASSERT_NEAR(view(i, j), single, 1e-13 * (1 + std::abs(single))) << describe(kernel) << " " << i << " " << j;
      }
    }
  }
}

/// Every tile again in single precision, and pairs that are nearly equal: distances keep their relative accuracy.
TEST(Kernel, SinglePrecisionIsNearDouble) {
  const std::int64_t m = 17;
  const std::int64_t n = 300;
  RandomStream random(6, Purpose::probe, 1);
  std::vector<double> data;
  for (std::int64_t i = 0; i < n; ++i) {
    // Numbers that single precision holds exactly, every third sample within 1e-3 of the one before.
    for (std::int64_t k = 0; k < m; ++k) {
      const double fresh =
          i % 3 == 2 ? data[static_cast<std::size_t>((i - 1) * m + k)] + 1e-3 * random.normal() : random.normal();
      data.push_back(static_cast<double>(static_cast<float>(fresh)));
    }
  }
  const Samples samples = make_samples(m, data);
  const SingleSamples single = to_single(samples);
  std::vector<double> exact(static_cast<std::size_t>(n * n));
  std::vector<float> rough(exact.size());
  for (const Kernel& kernel : std::vector<Kernel>{network(NetworkKernel::ntk, 3, {2, 0.1}, {1, 0}),
                                                  network(NetworkKernel::nngp, 2, {2, 0}, {2, 0}), RbfKernel{3},
                                                  LaplaceKernel{2}, PolynomialKernel{3, 0.5}, LinearKernel{}}) {
    evaluate(kernel, samples, {0, n}, samples, {0, n}, {exact.data(), n, n, n});
    evaluate(kernel, single, {0, n}, single, {0, n}, {rough.data(), n, n, n});
    double largest = 0;
    for (const double x : exact) largest = std::max(largest, std::abs(x));
    for (std::size_t i = 0; i < exact.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(rough[i]), exact[i], 2e-6 * largest) << describe(kernel);
    }
  }
  // What is left of 1 - k at a distance of 1e-3 is known to six digits.
  for (std::int64_t i = 2; i < n; i += 3) {
    double near = 0;
    float near_single = 0;
    evaluate(LaplaceKernel{1e-2}, samples, {i, i + 1}, samples, {i - 1, i}, {&near, 1, 1, 1});
    evaluate(LaplaceKernel{1e-2}, single, {i, i + 1}, single, {i - 1, i}, {&near_single, 1, 1, 1});
    ASSERT_NEAR(static_cast<double>(near_single), near, 1e-6);
  }
}

TEST(Samples, BeyondSinglePrecisionIsRefused) {
  EXPECT_NO_THROW((void)to_single(make_samples(2, {0, 0, 1e-10, 1e10})));
  EXPECT_THROW((void)to_single(make_samples(2, {1e20, 0})), Error);
  EXPECT_THROW((void)to_single(make_samples(2, {1e-20, 0})), Error);
}

TEST(Kernel, PlainFormulas) {
  const double dot = .5 - 2 - 3;
  const double square = .25 + 9 + 16;
  EXPECT_NEAR(entry(LinearKernel{}, x1, x2), dot, 1e-15);
  EXPECT_NEAR(entry(PolynomialKernel{3, 1.5}, x1, x2), std::pow(dot / 3 + 1.5, 3), 1e-15);
  EXPECT_NEAR(entry(PolynomialKernel{1, 0}, x1, x2), dot / 3, 1e-15);
  EXPECT_NEAR(entry(RbfKernel{1.7}, x1, x2), std::exp(-square / (2 * 1.7 * 1.7)), 1e-16);
  EXPECT_NEAR(entry(LaplaceKernel{1.7}, x1, x2), std::exp(-std::sqrt(square) / 1.7), 1e-16);
  EXPECT_EQ(entry(RbfKernel{1.7}, x1, x1), 1);
  EXPECT_EQ(entry(LaplaceKernel{1.7}, x1, x1), 1);
}

/// 1 - k is all that tells near-duplicates apart.
TEST(Kernel, DistancesOfNearDuplicates) {
  const std::size_t m = 1000;
  RandomStream random(9, Purpose::probe, 0);
  Vector x(m);
  Vector y(m);
  double square = 0;
  for (std::size_t k = 0; k < m; ++k) {
    x[k] = 100 + random.normal();
    y[k] = x[k] + 1e-6 * random.normal();
    square += (x[k] - y[k]) * (x[k] - y[k]);
  }
  const double l = std::sqrt(square);
  EXPECT_NEAR(entry(RbfKernel{l}, x, y), std::exp(-0.5), 1e-14);
  EXPECT_NEAR(entry(LaplaceKernel{l}, x, y), std::exp(-1.0), 1e-14);
}

TEST(Kernel, BadParametersAreNamed) {
  const auto message = [](const Kernel& kernel) -> std::string {
    try {
      validate(kernel);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::input);
      return error.what();
    }
    return "accepted";
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(message(RbfKernel{0}).find("--kernel.length-scale is 0"), std::string::npos);
  EXPECT_NE(message(RbfKernel{nan}).find("length-scale"), std::string::npos);
  EXPECT_NE(message(LaplaceKernel{-1}).find("length-scale is -1"), std::string::npos);
  EXPECT_NE(message(PolynomialKernel{0, 1}).find("--kernel.degree"), std::string::npos);
  EXPECT_NE(message(PolynomialKernel{2, -1}).find("--kernel.offset"), std::string::npos);
  EXPECT_NE(message(network(NetworkKernel::ntk, 2, {-2, 0}, {1, 0})).find("layer 1, dense (weight variance -2"),
            std::string::npos);
  EXPECT_NE(message(network(NetworkKernel::ntk, 2, {2, -.1}, {1, 0})).find("bias variance must be"), std::string::npos);
  EXPECT_NE(message(network(NetworkKernel::ntk, 2, {2, 0}, {1, -1})).find("layer 5, dense"), std::string::npos);
  EXPECT_EQ(message(network(NetworkKernel::ntk, 2, {2, 0}, {1, 0})), "accepted");
}

TEST(Samples, OverflowingLengthsAreRefused) {
  EXPECT_THROW((void)make_samples(2, {1e200, 0}), Error);
  EXPECT_THROW((void)make_samples(1, {std::numeric_limits<double>::quiet_NaN()}), Error);
}

}  // namespace
}  // namespace stepwise
