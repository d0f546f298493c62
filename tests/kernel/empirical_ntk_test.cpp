#include "stepwise/kernel/empirical_ntk.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "stepwise/core/error.hpp"
#include "stepwise/core/random.hpp"
#include "stepwise/kernel/evaluate.hpp"
#include "stepwise/kernel/network_text.hpp"

namespace stepwise {
namespace {

using Vector = std::vector<double>;

constexpr std::int64_t m = 5;
constexpr std::int64_t n = 4;

Vector data() {
  Vector numbers;
  for (std::int64_t i = 0; i < n; ++i) {
    RandomStream random(3, Purpose::probe, i);
    for (std::int64_t k = 0; k < m; ++k) numbers.push_back(random.normal());
  }
  return numbers;
}

/// All entries by the map and its kernel.
Vector matrix(const TangentFeatures& map) {
  const Samples samples = make_samples(map.count, feature_vectors(map, data()));
  Vector out(n * n);
  evaluate(map.kernel, samples, {0, n}, samples, {0, n}, {out.data(), n, n, n});
  return out;
}

Vector infinite(const FiniteNetworks& of) {
  const Samples samples = make_samples(m, data());
  Vector out(n * n);
  evaluate(of.layers, samples, {0, n}, samples, {0, n}, {out.data(), n, n, n});
  return out;
}

FiniteNetworks networks(Network layers, std::int64_t width, std::int64_t count = 1, std::int64_t outputs = 1,
                        MultiOutput multi_output = MultiOutput::trace) {
  return {std::move(layers), width, count, outputs, multi_output};
}

/// A network as one would write it down: every parameter a number in one long list, N(0, 1) or, in the standard
/// parameterisation, the weights themselves.
struct Literal {
  std::vector<AffineLayer> affine;
  Activation activation;
  std::int64_t width;
  std::int64_t outputs;
  bool standard;
  Vector parameters;
  std::vector<bool> trained;

  /// The parameters of `map`, whose biases and readout are scaled already.
  Literal(const TangentFeatures& map, std::vector<AffineLayer> layers, Activation phi, std::size_t number,
          bool weights_themselves)
      : affine(std::move(layers)),
        activation(phi),
        width(map.of.width),
        outputs(map.of.outputs),
        standard(weights_themselves) {
    const auto& weights = map.weights[number];
    const auto add = [&](double x, std::size_t l) {
      parameters.push_back(x);
      trained.push_back(!affine[l].tangent || affine[l].tangent->weight > 0);
    };
    for (std::size_t l = 0; l < affine.size(); ++l) {
      const bool last = l + 1 == affine.size();
      const double fan_in = static_cast<double>(l == 0 ? m : width);
      const double scale = (last ? std::sqrt(static_cast<double>(outputs)) : 1) *
                           (standard ? std::sqrt(affine[l].weight_variance / fan_in) : 1);
      for (const double x : last ? weights.readout : weights.layers[l]) add(scale * x, l);
      if (affine[l].bias_variance == 0) continue;
      for (std::int64_t j = 0; j < (last ? outputs : width); ++j) {
        const double bias = last ? 0.3 : weights.biases[l][static_cast<std::size_t>(j)];
        add(standard ? bias : bias / std::sqrt(affine[l].bias_variance), l);
      }
    }
  }

  [[nodiscard]] Vector operator()(const double* x) const {
    Vector signal(x, x + m);
    std::size_t next = 0;
    for (std::size_t l = 0; l < affine.size(); ++l) {
      if (l > 0) {
        for (double& z : signal) z = value(activation, z);
      }
      Vector z(static_cast<std::size_t>(l + 1 == affine.size() ? outputs : width));
      const auto [w, b] = std::pair(affine[l].weight_variance, affine[l].bias_variance);
      for (double& unit : z) {
        for (const double h : signal) {
          unit += (standard ? 1 : std::sqrt(w / static_cast<double>(signal.size()))) * parameters[next++] * h;
        }
      }
      for (double& unit : z) {
        if (b > 0) unit += (standard ? 1 : std::sqrt(b)) * parameters[next++];
      }
      signal = z;
    }
    return signal;
  }

  /// d f / d parameters of one function of the outputs, by central differences.
  [[nodiscard]] Vector gradient(const double* x, const std::function<double(const Vector&)>& f) {
    constexpr double step = 1e-5;
    Vector result;
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      if (!trained[p]) continue;
      const double before = parameters[p];
      parameters[p] = before + step;
      const double above = f((*this)(x));
      parameters[p] = before - step;
      const double below = f((*this)(x));
      parameters[p] = before;
      result.push_back((above - below) / (2 * step));
    }
    return result;
  }

  /// Adds weight times the Gram matrix of gradients.
  void add_gram(double weight, const std::function<double(const Vector&)>& f, Vector& gram) {
    const Vector x = data();
    std::vector<Vector> gradients;
    for (std::int64_t i = 0; i < n; ++i) gradients.push_back(gradient(x.data() + i * m, f));
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t p = 0; p < gradients[i].size(); ++p)
          gram[i + j * n] += weight * gradients[i][p] * gradients[j][p];
      }
    }
  }
};

void expect_near(const Vector& actual, const Vector& expected, double tolerance, const std::string& where) {
  ASSERT_EQ(actual.size(), expected.size());
  double size = 0;
  for (const double x : expected) size = std::max(size, std::abs(x));
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], tolerance * size) << where << " " << i;
}

/// The definition: gradients by all parameters, multiplied.
TEST(EmpiricalNtk, IsTheGramMatrixOfGradients) {
  const AffineLayer frozen{1.1, 0.3, TangentWeights{}};
  const std::vector<std::vector<AffineLayer>> cases{
      {{1.5, 0.2}},
      {{1.5, 0}, {1.2, 0.4}},
      {{1.5, 0.1}, {1.2, 0.4}, {0.9, 0}},
      {{1.5, 0.1}, {0.7, 0}, {1.2, 0.4}, {0.9, 0.3}},
      {frozen, {1.2, 0.4}, {0.9, 0}},
      {{1.5, 0.1}, frozen, {1.3, 0}, frozen},
  };
  const Activation activation = scalar_activation("tanh");
  for (const auto& layers : cases) {
    for (const bool standard : {false, true}) {
      Network network = fully_connected(NetworkKernel::ntk, layers, activation);
      constexpr std::int64_t width = 6;
      if (standard) use_standard_parameterisation(network, width, m);
      const std::string where = describe(network);
      const auto map = draw_networks(networks(network, width, 2, 3), m, 1);
      Vector trace(n * n);
      Vector scalar(n * n);
      for (std::size_t number = 0; number < 2; ++number) {
        // Depth 0 has no hidden weights to take from the map; its gradients do not depend on them.
        TangentFeatures drawn = map;
        if (layers.size() == 1) drawn.weights[number].readout.assign(m * 3, 0.5);
        Literal literal(drawn, layers, activation, number, standard);
        for (std::size_t k = 0; k < 3; ++k) {
          literal.add_gram(
              1.0 / 6, [k](const Vector& f) { return f[k]; }, trace);
        }
        literal.add_gram(
            0.5, [](const Vector& f) { return (f[0] + f[1] + f[2]) / std::sqrt(3.0); }, scalar);
      }
      expect_near(matrix(map), trace, 1e-8, "trace, " + where);
      expect_near(matrix(draw_networks(networks(network, width, 2, 3, MultiOutput::scalar), m, 1)), scalar, 1e-8,
                  "scalar, " + where);
    }
  }
}

TEST(EmpiricalNtk, AFunctionOfTheSeedAndAMeanOverNetworks) {
  const Network network = fully_connected(NetworkKernel::ntk, {{2, 0.1}, {1.5, 0.2}, {1, 0.3}});
  const auto three = draw_networks(networks(network, 8, 3), m, 4);
  EXPECT_EQ(matrix(three), matrix(draw_networks(networks(network, 8, 3), m, 4)));
  EXPECT_NE(matrix(three), matrix(draw_networks(networks(network, 8, 3), m, 5)));
  Vector mean(n * n);
  for (std::size_t number = 0; number < 3; ++number) {
    auto one = draw_networks(networks(network, 8, 1), m, 4);
    one.weights = {three.weights[number]};
    const Vector part = matrix(one);
    for (std::size_t i = 0; i < part.size(); ++i) mean[i] += part[i] / 3;
  }
  expect_near(matrix(three), mean, 1e-14, "mean");
  EXPECT_NE(three.weights[0].layers, three.weights[1].layers);
  EXPECT_NE(three.weights[0].layers[0], three.weights[0].layers[1]);
}

/// More samples than fit one batch, one output or many: each as alone.
TEST(EmpiricalNtk, BatchesDoNotMatter) {
  const Network network = fully_connected(NetworkKernel::ntk, {{2, 0.1}, {1.5, 0.2}, {1, 0}}, Gelu{});
  constexpr std::int64_t many = 1100;
  Vector numbers(many * m);
  RandomStream random(9, Purpose::probe, 0);
  for (double& x : numbers) x = random.normal();
  for (const std::int64_t outputs : {1, 7}) {
    const auto map = draw_networks(networks(network, 4, 2, outputs), m, 0);
    const Vector all = feature_vectors(map, numbers);
    ASSERT_EQ(std::ssize(all), map.count * many);
    for (const std::int64_t s : {std::int64_t{0}, std::int64_t{511}, many - 1}) {
      const Vector one = feature_vectors(map, {numbers.begin() + s * m, numbers.begin() + (s + 1) * m});
      for (std::int64_t f = 0; f < map.count; ++f) {
        ASSERT_NEAR(one[static_cast<std::size_t>(f)], all[static_cast<std::size_t>(f + s * map.count)], 1e-13);
      }
    }
  }
}

/// Tiles larger than those worked on at once, parts of the samples, and single precision.
TEST(EmpiricalNtk, TilesAgreeWithSingleEntries) {
  const auto map =
      draw_networks(networks(fully_connected(NetworkKernel::ntk, {{2, 0.1}, {1.5, 0.2}, {1, 0}}), 4), m, 0);
  constexpr std::int64_t many = 700;
  Vector numbers(many * m);
  RandomStream random(9, Purpose::probe, 1);
  for (double& x : numbers) x = random.normal();
  const Samples samples = make_samples(map.count, feature_vectors(map, numbers));
  const SingleSamples single = to_single(samples);
  const Range rows{3, many};
  const Range cols{100, 400};
  Vector out(static_cast<std::size_t>((rows.size() + 2) * cols.size()));
  std::vector<float> rough(out.size());
  const MatrixView<double> view{out.data(), rows.size(), cols.size(), rows.size() + 2};
  const MatrixView<float> rough_view{rough.data(), rows.size(), cols.size(), rows.size() + 2};
  evaluate(map.kernel, samples, rows, samples, cols, view);
  evaluate(map.kernel, single, rows, single, cols, rough_view);
  double largest = 0;
  for (const double x : out) largest = std::max(largest, std::abs(x));
  for (std::int64_t j = 0; j < cols.size(); j += 37) {
    for (std::int64_t i = 0; i < rows.size(); ++i) {
      double entry = 0;
      evaluate(map.kernel, samples, {rows.begin + i, rows.begin + i + 1}, samples, {cols.begin + j, cols.begin + j + 1},
               {&entry, 1, 1, 1});
      ASSERT_NEAR(view(i, j), entry, 1e-13 * largest);
      ASSERT_NEAR(static_cast<double>(rough_view(i, j)), entry, 2e-6 * largest);
    }
  }
}

/// The error falls like 1 / sqrt(width), in every parameterisation and for every way to join outputs.
TEST(EmpiricalNtk, ConvergesToTheInfiniteNetwork) {
  const std::vector<AffineLayer> layers{{2, 0.3}, {1.2, 0.1}, {1.5, 0.2}};
  std::vector<AffineLayer> frozen = layers;
  frozen[0].tangent = TangentWeights{};
  for (const auto& affine : {layers, frozen}) {
    for (const bool standard : {false, true}) {
      for (const auto multi_output : {MultiOutput::trace, MultiOutput::scalar}) {
        double previous = 0;
        for (const std::int64_t width : {32, 512}) {
          Network network = fully_connected(NetworkKernel::ntk, affine);
          if (standard) use_standard_parameterisation(network, width, m);
          const std::int64_t count = width == 32 ? 40 : 20;
          double square = 0;
          for (std::int64_t draw = 0; draw < count; ++draw) {
            const FiniteNetworks of = networks(network, width, 1, 2, multi_output);
            const Vector expected = infinite(of);
            const Vector found = matrix(draw_networks(of, m, static_cast<std::uint64_t>(draw)));
            for (std::size_t i = 0; i < found.size(); ++i) {
              square += std::pow((found[i] - expected[i]) / expected[0], 2) / static_cast<double>(n * n * count);
            }
          }
          const double error = std::sqrt(square);
          EXPECT_LT(error, 6 / std::sqrt(static_cast<double>(width))) << describe(network);
          if (previous > 0) {
            EXPECT_NEAR(error, previous / 4, previous / 8) << describe(network);  // sqrt(512 / 32) = 4
          }
          previous = error;
        }
      }
    }
  }
}

/// Without a derivative only the readout's own term is left.
TEST(EmpiricalNtk, SignHasTheReadoutAlone) {
  const FiniteNetworks of = networks(fully_connected(NetworkKernel::ntk, {{2, 0}, {1, 0}, {3, 0}}, Sign{}), 50);
  const Vector found = matrix(draw_networks(of, m, 0));
  for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(found[i + i * n], 3, 1e-14);
}

TEST(EmpiricalNtk, RefusalsNameTheOption) {
  const auto message = [](const FiniteNetworks& of) -> std::string {
    try {
      (void)draw_networks(of, m, 0);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::input);
      return error.what();
    }
    return "accepted";
  };
  const Network good = fully_connected(NetworkKernel::ntk, {{2, 0}, {2, 0}});
  EXPECT_EQ(message(networks(good, 3)), "accepted");
  EXPECT_NE(message(networks(good, 0)).find("--kernel.width is 0"), std::string::npos);
  EXPECT_NE(message(networks(good, 3, 0)).find("--kernel.networks is 0"), std::string::npos);
  EXPECT_NE(message(networks(good, 3, 1, 0)).find("--kernel.outputs is 0"), std::string::npos);
  Network image = good;
  image.layers.insert(image.layers.begin(), {Layer{ConvLayer{}}, Layer{GlobalAverage{}}});
  EXPECT_NE(message(networks(image, 3)).find("fully connected"), std::string::npos);
  const AffineLayer frozen{2, 0.1, TangentWeights{}};
  EXPECT_NE(message(networks(fully_connected(NetworkKernel::ntk, {frozen, frozen}), 3)).find("no layer is trained"),
            std::string::npos);
}

}  // namespace
}  // namespace stepwise
