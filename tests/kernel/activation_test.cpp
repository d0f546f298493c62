#include "stepwise/kernel/activation.hpp"

#include <gtest/gtest.h>
#include <quadmath.h>

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

#include "stepwise/core/error.hpp"
#include "stepwise/core/random.hpp"
#include "stepwise/kernel/evaluate.hpp"

namespace stepwise {
namespace {

__extension__ using Quad = __float128;
using Vector = std::vector<double>;

template <class T>
double entry(const Kernel& kernel, const Vector& x, const Vector& y) {
  const auto m = static_cast<std::int64_t>(x.size());
  T out = 0;
  if constexpr (std::is_same_v<T, double>) {
    evaluate(kernel, make_samples(m, x), {0, 1}, make_samples(m, y), {0, 1}, {&out, 1, 1, 1});
  } else {
    evaluate(kernel, to_single(make_samples(m, x)), {0, 1}, to_single(make_samples(m, y)), {0, 1}, {&out, 1, 1, 1});
  }
  return static_cast<double>(out);
}

/// T(a, b, c) and its derivative by c, from textbook formulas in 113 bits.
struct Dual {
  std::function<Quad(Quad, Quad, Quad)> value;
  std::function<Quad(Quad, Quad, Quad)> slope;
};

const Quad pi = acosq(-1);

Quad root(Quad x) {
  return x > 0 ? sqrtq(x) : 0;
}
Quad angle(Quad a, Quad b, Quad c) {
  return atan2q(root(a * b - c * c), c);
}

/// E[f(u) f(v)] by the trapezoidal rule in two dimensions, accurate to rounding for analytic f.
std::function<Quad(Quad, Quad, Quad)> quadrature(const std::function<double(double)>& f) {
  return [f](Quad qa, Quad qb, Quad qc) {
    constexpr int half = 100;
    constexpr double step = 9.5 / half;
    const auto a = static_cast<double>(qa);
    const double along = a > 0 ? static_cast<double>(qc / sqrtq(qa)) : 0;
    const auto across = static_cast<double>(qa > 0 ? root(qb - qc * qc / qa) : root(qb));
    double sum = 0;
    for (int i = -half; i <= half; ++i) {
      const double z = i * step;
      double inner = 0;
      for (int j = -half; j <= half; ++j) {
        const double w = j * step;
        inner += f(along * z + across * w) * std::exp(-w * w / 2);
      }
      sum += inner * f(std::sqrt(a) * z) * std::exp(-z * z / 2);
    }
    return Quad(sum * step * step) / (2 * pi);
  };
}

struct Case {
  Activation activation;
  Dual dual;
};

std::vector<Case> closed_forms() {
  std::vector<Case> cases;
  for (const double slope : {0.0, 0.2, -1.0, -0.5}) {
    const Quad gain = (1 + Quad(slope) * slope) / 2;
    const Quad q = (1 - Quad(slope)) * (1 - Quad(slope)) / (2 * pi);
    cases.push_back({Rectifier{slope},
                     {[=](Quad a, Quad b, Quad c) { return q * root(a * b - c * c) + (gain - q * angle(a, b, c)) * c; },
                      [=](Quad a, Quad b, Quad c) { return gain - q * angle(a, b, c); }}});
  }
  cases.push_back({ErrorFunction{},
                   {[](Quad a, Quad b, Quad c) { return 2 / pi * asinq(2 * c / sqrtq((1 + 2 * a) * (1 + 2 * b))); },
                    [](Quad a, Quad b, Quad c) { return 4 / pi / sqrtq((1 + 2 * a) * (1 + 2 * b) - 4 * c * c); }}});
  cases.push_back(
      {Sine{},
       {[](Quad a, Quad b, Quad c) { return (expq(-(a + b - 2 * c) / 2) - expq(-(a + b + 2 * c) / 2)) / 2; },
        [](Quad a, Quad b, Quad c) { return (expq(-(a + b - 2 * c) / 2) + expq(-(a + b + 2 * c) / 2)) / 2; }}});
  cases.push_back({RbfActivation{0.3},
                   {[](Quad a, Quad b, Quad c) { return expq(-Quad(0.3) * (a + b - 2 * c)); },
                    [](Quad a, Quad b, Quad c) { return 2 * Quad(0.3) * expq(-Quad(0.3) * (a + b - 2 * c)); }}});
  cases.push_back(
      {Sign{},
       {[](Quad a, Quad b, Quad c) { return 1 - 2 * angle(a, b, c) / pi; }, [](Quad, Quad, Quad) { return Quad(0); }}});
  cases.push_back(
      {ArcCosine{0},
       {[](Quad a, Quad b, Quad c) { return 1 - angle(a, b, c) / pi; }, [](Quad, Quad, Quad) { return Quad(0); }}});
  cases.push_back({ArcCosine{1},
                   {[](Quad a, Quad b, Quad c) { return (root(a * b - c * c) + (pi - angle(a, b, c)) * c) / pi; },
                    [](Quad a, Quad b, Quad c) { return (pi - angle(a, b, c)) / pi; }}});
  cases.push_back(
      {ArcCosine{2},
       {[](Quad a, Quad b, Quad c) {
          return (3 * root(a * b - c * c) * c + (pi - angle(a, b, c)) * (a * b + 2 * c * c)) / pi;
        },
        [](Quad a, Quad b, Quad c) { return 4 * (root(a * b - c * c) + (pi - angle(a, b, c)) * c) / pi; }}});
  return cases;
}

/// Known as functions only.
std::vector<Case> by_quadrature() {
  const auto logistic = [](double x) { return 1 / (1 + std::exp(-x)); };
  const auto phi = [](double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; };
  const auto density = [](double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); };
  const auto make = [](const Activation& activation, const std::function<double(double)>& f,
                       const std::function<double(double)>& slope) {
    return Case{activation, {quadrature(f), quadrature(slope)}};
  };
  return {
      make(
          Gelu{}, [=](double x) { return x * phi(x); }, [=](double x) { return phi(x) + x * density(x); }),
      make(
          scalar_activation("tanh"), [](double x) { return std::tanh(x); },
          [](double x) { return 1 / (std::cosh(x) * std::cosh(x)); }),
      make(scalar_activation("sigmoid"), logistic, [=](double x) { return logistic(x) * logistic(-x); }),
      make(
          scalar_activation("softplus"), [](double x) { return std::log1p(std::exp(x)); }, logistic),
      make(
          scalar_activation("silu"), [=](double x) { return x * logistic(x); },
          [=](double x) { return logistic(x) + x * logistic(x) * logistic(-x); }),
  };
}

std::vector<Case> all_cases() {
  std::vector<Case> cases = closed_forms();
  for (Case& c : by_quadrature()) cases.push_back(std::move(c));
  return cases;
}

struct Values {
  Quad nngp;
  Quad ntk;
};

/// Two hidden layers with biases.
constexpr AffineLayer first{1.3, 0};
constexpr AffineLayer middle{0.9, 0.2};
constexpr AffineLayer last{1.1, 0.05};

Values two_layers(const Dual& dual, const Vector& x, const Vector& y) {
  Quad a = 0;
  Quad b = 0;
  Quad c = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    a += Quad(x[k]) * x[k];
    b += Quad(y[k]) * y[k];
    c += Quad(x[k]) * y[k];
  }
  const auto m = static_cast<Quad>(x.size());
  a /= m;
  b /= m;
  c /= m;
  Quad theta = 0;
  for (const AffineLayer& layer : {first, middle, last}) {
    const Quad w = layer.weight_variance;
    const Quad v = layer.bias_variance;
    theta = w * (c + theta) + v;
    a = w * a + v;
    b = w * b + v;
    c = w * c + v;
    if (layer.weight_variance == last.weight_variance) break;
    theta *= dual.slope(a, b, c);
    c = dual.value(a, b, c);
    a = dual.value(a, a, a);
    b = dual.value(b, b, b);
  }
  return {c, theta};
}

Network two_layer_network(NetworkKernel which, const Activation& activation) {
  return fully_connected(which, {first, middle, last}, activation);
}

Vector random_vector(std::int64_t index, std::size_t m, double scale) {
  RandomStream random(11, Purpose::probe, index);
  Vector x(m);
  for (double& v : x) v = scale * random.normal();
  return x;
}

double error(double value, Quad expected, Quad unit) {
  return static_cast<double>(fabsq(Quad(value) - expected) / fabsq(unit));
}

TEST(Activation, AgreesWithTheDefinition) {
  for (const Case& c : all_cases()) {
    for (const double scale : {0.3, 1.0, 2.0}) {
      const Vector x = random_vector(0, 7, scale);
      for (const double mix : {0.0, 0.6, -0.9}) {
        Vector y = random_vector(1, 7, 0.8 * scale);
        for (std::size_t k = 0; k < y.size(); ++k) y[k] += mix * x[k];
        const Values expected = two_layers(c.dual, x, y);
        const Values own = two_layers(c.dual, x, x);
        EXPECT_LT(
            error(entry<double>(two_layer_network(NetworkKernel::nngp, c.activation), x, y), expected.nngp, own.nngp),
            1e-12)
            << describe(c.activation) << " " << scale << " " << mix;
        EXPECT_LT(
            error(entry<double>(two_layer_network(NetworkKernel::ntk, c.activation), x, y), expected.ntk, own.ntk),
            1e-12)
            << describe(c.activation) << " " << scale << " " << mix;
        EXPECT_LT(error(entry<float>(two_layer_network(NetworkKernel::ntk, c.activation), x, y), expected.ntk, own.ntk),
                  2e-6)
            << describe(c.activation) << " " << scale << " " << mix;
      }
    }
  }
}

TEST(Activation, SecondMomentIsTheDiagonal) {
  for (const Case& c : all_cases()) {
    for (const double a : {0.01, 0.7, 3.0}) {
      EXPECT_LT(error(second_moment(c.activation, a), c.dual.value(a, a, a), c.dual.value(a, a, a)), 1e-13)
          << describe(c.activation) << " " << a;
    }
  }
}

/// Kernel and feature distance of two views at a small relative distance.
TEST(Activation, NearDuplicatesKeepFullAccuracy) {
  for (const Case& c : closed_forms()) {
    const Network nngp = two_layer_network(NetworkKernel::nngp, c.activation);
    const Network ntk = two_layer_network(NetworkKernel::ntk, c.activation);
    for (const double distance : {1e-1, 1e-3, 1e-6}) {
      for (const double stretch : {1.0, 1.5}) {
        const Vector x = random_vector(2, 200, 1);
        const Vector noise = random_vector(3, 200, distance);
        Vector y(x.size());
        for (std::size_t k = 0; k < y.size(); ++k) y[k] = stretch * x[k] + noise[k];
        const Values expected = two_layers(c.dual, x, y);
        const std::string where = describe(c.activation) + fmt::format(" {} {}", distance, stretch);
        EXPECT_LT(error(entry<double>(ntk, x, y), expected.ntk, expected.ntk), 1e-13) << where;
        EXPECT_LT(error(entry<double>(nngp, x, y), expected.nngp, expected.nngp), 1e-13) << where;
        EXPECT_LT(error(entry<float>(ntk, x, y), expected.ntk, expected.ntk), distance < 1e-5 ? 1e-6 : 2e-6) << where;
      }
    }
  }
}

/// exp(-D / D') of the features behind the last activation, with D' in 113 bits.
double distance_probe(Network network, const Vector& x, const Vector& y, Quad expected) {
  network.which = NetworkKernel::nngp;
  network.layers.pop_back();
  network.layers.emplace_back(Activation{RbfActivation{static_cast<double>(1 / expected)}});
  return entry<double>(network, x, y);
}

TEST(Activation, FeatureDistancesOfNearDuplicates) {
  for (const Case& c : closed_forms()) {
    for (const double distance : {1e-2, 1e-6}) {
      const Vector x = random_vector(2, 200, 1);
      const Vector noise = random_vector(3, 200, distance);
      Vector y(x.size());
      for (std::size_t k = 0; k < y.size(); ++k) y[k] = x[k] + noise[k];
      const auto before_readout = [&](const Vector& u, const Vector& v) {
        return (two_layers(c.dual, u, v).nngp - last.bias_variance) / Quad(last.weight_variance);
      };
      const Quad expected = before_readout(x, x) + before_readout(y, y) - 2 * before_readout(x, y);
      const double probe = distance_probe(two_layer_network(NetworkKernel::nngp, c.activation), x, y, expected);
      EXPECT_NEAR(probe, std::exp(-1.0), 1e-13) << describe(c.activation) << " " << distance;
    }
  }
}

/// E(f(u) - f(v))^2 in 113 bits, without any difference of large numbers.
Quad mean_square_difference(Quad (*f)(Quad), Quad a, Quad b, Quad c) {
  constexpr int half = 70;
  const Quad step = Quad(9.5) / half;
  const Quad along = c / sqrtq(a);
  const Quad across = root(b - along * along);
  Quad sum = 0;
  for (int i = -half; i <= half; ++i) {
    for (int j = -half; j <= half; ++j) {
      const Quad z = i * step;
      const Quad w = j * step;
      const Quad difference = f(sqrtq(a) * z) - f(along * z + across * w);
      sum += difference * difference * expq(-(z * z + w * w) / 2);
    }
  }
  return sum * step * step / (2 * pi);
}

TEST(Activation, FeatureDistancesBySeries) {
  const auto gelu = [](Quad x) { return x * erfcq(-x / sqrtq(2)) / 2; };
  const auto tanh = [](Quad x) { return tanhq(x); };
  const auto probe = [](const Activation& activation, Quad (*f)(Quad), double distance, double stretch) {
    const Vector x = random_vector(2, 200, 1);
    const Vector noise = random_vector(3, 200, distance);
    Vector y(x.size());
    Quad a = 0;
    Quad b = 0;
    Quad c = 0;
    for (std::size_t k = 0; k < y.size(); ++k) {
      y[k] = stretch * x[k] + noise[k];
      a += Quad(x[k]) * x[k] / 200;
      b += Quad(y[k]) * y[k] / 200;
      c += Quad(x[k]) * y[k] / 200;
    }
    const Network network = fully_connected(NetworkKernel::nngp, {{1, 0}, {1, 0}}, activation);
    return distance_probe(network, x, y, mean_square_difference(f, a, b, c));
  };
  for (const double distance : {1e-1, 1e-3, 1e-6}) {
    for (const double stretch : {1.0, 1.0001, 1.3}) {
      EXPECT_NEAR(probe(Gelu{}, gelu, distance, stretch), std::exp(-1.0), 1e-13) << distance << " " << stretch;
      EXPECT_NEAR(probe(scalar_activation("tanh"), tanh, distance, stretch), std::exp(-1.0), 3e-12)
          << distance << " " << stretch;
    }
  }
}

/// Odd functions see the sign of a sample only as a sign; zero vectors are no exception.
TEST(Activation, AntipodalAndZeroInputs) {
  const Vector x = random_vector(4, 9, 1);
  Vector minus = x;
  for (double& v : minus) v = -v;
  const Vector zero(9, 0.0);
  for (const Case& c : all_cases()) {
    const Network net = fully_connected(NetworkKernel::nngp, {{1.5, 0}, {1.2, 0}, {1, 0}}, c.activation);
    const bool odd = value(c.activation, -0.7) == -value(c.activation, 0.7);
    if (odd) {
      EXPECT_NEAR(entry<double>(net, x, minus), -entry<double>(net, x, x), 2e-15) << describe(c.activation);
    }
    for (const auto which : {NetworkKernel::nngp, NetworkKernel::ntk}) {
      const Network two = two_layer_network(which, c.activation);
      EXPECT_TRUE(std::isfinite(entry<double>(two, zero, zero))) << describe(c.activation);
      EXPECT_TRUE(std::isfinite(entry<double>(two, zero, x))) << describe(c.activation);
      EXPECT_TRUE(std::isfinite(entry<float>(two, zero, x))) << describe(c.activation);
    }
    if (value(c.activation, 0) == 0) {
      EXPECT_NEAR(entry<double>(net, zero, x), 0, 1e-15) << describe(c.activation);
    }
  }
}

TEST(Activation, QuadratureRefusesWhatItCannotResolve) {
  const Network net = fully_connected(NetworkKernel::nngp, {{1, 0}, {1, 0}}, scalar_activation("tanh"));
  try {
    (void)entry<double>(net, Vector(3, 100.0), Vector(3, 1.0));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::input);
    EXPECT_NE(std::string(error.what()).find("tanh"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("variance"), std::string::npos);
  }
}

TEST(Activation, DerivativesAreThoseOfTheFunctions) {
  for (const Case& c : all_cases()) {
    for (const double x : {-1.7, -0.3, 0.4, 2.1}) {
      const double h = 1e-5;
      const double slope = (value(c.activation, x + h) - value(c.activation, x - h)) / (2 * h);
      EXPECT_NEAR(derivative(c.activation, x), slope, 1e-8) << describe(c.activation) << " " << x;
    }
  }
}

}  // namespace
}  // namespace stepwise
