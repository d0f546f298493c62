#include <fmt/format.h>
#include <gtest/gtest.h>
#include <quadmath.h>

#include <array>
#include <cmath>
#include <functional>

#include "stepwise/core/error.hpp"
#include "stepwise/core/random.hpp"
#include "stepwise/kernel/evaluate.hpp"
#include "stepwise/kernel/network_text.hpp"

namespace stepwise {
namespace {

__extension__ using Quad = __float128;
using Image = std::vector<double>;

Network network(NetworkKernel which, const std::string& layers, const ImageShape& shape,
                const NetworkDefaults& defaults = {}) {
  Network result{which, parse_layers(layers, defaults), shape};
  validate(result);
  return result;
}

/// Covariances and NTK of all pairs of pixels, literally; 113 bits.
struct State {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<Quad> c;  ///< [p][p']
  std::vector<Quad> ntk;
  [[nodiscard]] std::int64_t pixels() const { return height * width; }
  [[nodiscard]] std::size_t at(std::int64_t p, std::int64_t q) const {
    return static_cast<std::size_t>(p * pixels() + q);
  }
};

State enter(const Image& x, const Image& y, const ImageShape& shape) {
  State s{shape.height, shape.width, {}, {}};
  const std::int64_t pixels = s.pixels();
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (std::int64_t q = 0; q < pixels; ++q) {
      Quad sum = 0;
      for (std::int64_t k = 0; k < shape.channels; ++k) {
        sum += Quad(x[static_cast<std::size_t>(k * pixels + p)]) * y[static_cast<std::size_t>(k * pixels + q)];
      }
      s.c.push_back(sum / static_cast<Quad>(shape.channels));
    }
  }
  s.ntk.assign(s.c.size(), 0);
  return s;
}

std::vector<Quad> averaged(const State& s, const std::vector<Quad>& field, const ConvLayer& conv) {
  std::vector<Quad> out(field.size(), 0);
  const std::int64_t radius = conv.size / 2;
  const auto neighbour = [&](std::int64_t p, std::int64_t dy, std::int64_t dx) -> std::int64_t {
    std::int64_t y = p / s.width + dy;
    std::int64_t x = p % s.width + dx;
    if (conv.padding == Padding::circular) {
      y = (y + s.height) % s.height;
      x = (x + s.width) % s.width;
    }
    return y < 0 || y >= s.height || x < 0 || x >= s.width ? -1 : y * s.width + x;
  };
  for (std::int64_t p = 0; p < s.pixels(); ++p) {
    for (std::int64_t q = 0; q < s.pixels(); ++q) {
      for (std::int64_t dy = -radius; dy <= radius; ++dy) {
        for (std::int64_t dx = -radius; dx <= radius; ++dx) {
          const std::int64_t a = neighbour(p, dy, dx);
          const std::int64_t b = neighbour(q, dy, dx);
          if (a >= 0 && b >= 0) out[s.at(p, q)] += field[s.at(a, b)] / static_cast<Quad>(conv.size * conv.size);
        }
      }
    }
  }
  return out;
}

/// T(a, b, c) and E[phi' phi'] of the activations used here.
std::pair<Quad, Quad> dual(const Activation& activation, Quad a, Quad b, Quad c) {
  const Quad pi = acosq(-1);
  if (const auto* f = std::get_if<Rectifier>(&activation)) {
    const Quad square = a * b - c * c;
    const Quad sine = square > 0 ? sqrtq(square) : 0;
    const Quad gain = (1 + Quad(f->negative_slope) * f->negative_slope) / 2;
    const Quad q = (1 - Quad(f->negative_slope)) * (1 - Quad(f->negative_slope)) / (2 * pi);
    const Quad slope = gain - q * atan2q(sine, c);
    return {q * sine + slope * c, slope};
  }
  const Quad scale = (1 + 2 * a) * (1 + 2 * b);  // erf
  return {2 / pi * asinq(2 * c / sqrtq(scale)), 4 / pi / sqrtq(scale - 4 * c * c)};
}

Quad mean_of_pairs(const State& s, const std::vector<Quad>& field, bool all) {
  Quad sum = 0;
  for (std::int64_t p = 0; p < s.pixels(); ++p) {
    for (std::int64_t q = 0; q < s.pixels(); ++q) sum += all || p == q ? field[s.at(p, q)] : 0;
  }
  return sum / static_cast<Quad>(all ? s.pixels() * s.pixels() : s.pixels());
}

State pooled(const State& s, std::int64_t size) {
  State out{s.height / size, s.width / size, {}, {}};
  out.c.assign(static_cast<std::size_t>(out.pixels() * out.pixels()), 0);
  out.ntk = out.c;
  const auto block = [&](std::int64_t p) { return p / s.width / size * out.width + p % s.width / size; };
  const auto weight = static_cast<Quad>(size * size * size * size);
  for (std::int64_t p = 0; p < s.pixels(); ++p) {
    for (std::int64_t q = 0; q < s.pixels(); ++q) {
      out.c[out.at(block(p), block(q))] += s.c[s.at(p, q)] / weight;
      out.ntk[out.at(block(p), block(q))] += s.ntk[s.at(p, q)] / weight;
    }
  }
  return out;
}

/// The kernel of x and y with their own states beside it.
struct Triple {
  State xy, xx, yy;
};

Quad reference(const Network& net, const Image& x, const Image& y) {
  Triple t{enter(x, y, net.input), enter(x, x, net.input), enter(y, y, net.input)};
  const auto each = [&](const auto& change) {
    for (State* s : {&t.xy, &t.xx, &t.yy}) change(*s);
  };
  for (const Layer& layer : net.layers) {
    if (const auto* conv = std::get_if<ConvLayer>(&layer)) {
      each([&](State& s) {
        const Quad w = conv->affine.weight_variance;
        const TangentWeights tangent = conv->affine.tangent_weights();
        std::vector<Quad> sum(s.c.size());
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = Quad(tangent.weight) * s.c[i] + w * s.ntk[i];
        s.ntk = averaged(s, sum, *conv);
        s.c = averaged(s, s.c, *conv);
        for (Quad& v : s.ntk) v += Quad(tangent.bias);
        for (Quad& v : s.c) v = w * v + Quad(conv->affine.bias_variance);
      });
    } else if (const auto* affine = std::get_if<AffineLayer>(&layer)) {
      each([&](State& s) {
        const TangentWeights tangent = affine->tangent_weights();
        s.ntk[0] = Quad(tangent.weight) * s.c[0] + Quad(tangent.bias) + Quad(affine->weight_variance) * s.ntk[0];
        s.c[0] = Quad(affine->weight_variance) * s.c[0] + Quad(affine->bias_variance);
      });
    } else if (const auto* activation = std::get_if<Activation>(&layer)) {
      const Triple old = t;
      const auto map = [&](State& s, const State& left, const State& right) {
        for (std::int64_t p = 0; p < s.pixels(); ++p) {
          for (std::int64_t q = 0; q < s.pixels(); ++q) {
            const auto [value, slope] = dual(*activation, left.c[s.at(p, p)], right.c[s.at(q, q)], s.c[s.at(p, q)]);
            s.c[s.at(p, q)] = value;
            s.ntk[s.at(p, q)] *= slope;
          }
        }
      };
      map(t.xy, old.xx, old.yy);
      map(t.xx, old.xx, old.xx);
      map(t.yy, old.yy, old.yy);
    } else if (const auto* pool = std::get_if<AveragePool>(&layer)) {
      each([&](State& s) { s = pooled(s, pool->size); });
    } else {
      const bool all = std::holds_alternative<GlobalAverage>(layer);
      each([&](State& s) { s = {1, 1, {mean_of_pairs(s, s.c, all)}, {mean_of_pairs(s, s.ntk, all)}}; });
    }
  }
  return net.which == NetworkKernel::ntk ? t.xy.ntk[0] : t.xy.c[0];
}

Samples samples_of(const std::vector<Image>& images) {
  std::vector<double> data;
  for (const Image& image : images) data.insert(data.end(), image.begin(), image.end());
  return make_samples(static_cast<std::int64_t>(images.front().size()), std::move(data));
}

double entry(const Kernel& kernel, const Image& x, const Image& y) {
  double out = 0;
  evaluate(kernel, samples_of({x}), {0, 1}, samples_of({y}), {0, 1}, {&out, 1, 1, 1});
  return out;
}

Image random_image(std::int64_t index, const ImageShape& shape, double scale = 1) {
  RandomStream random(21, Purpose::probe, index);
  Image image(static_cast<std::size_t>(shape.size()));
  for (double& v : image) v = scale * random.normal();
  return image;
}

TEST(ImageNetwork, FortyDigitValues) {
  const ImageShape shape{2, 4, 4};
  Image a;
  Image b;
  for (int c = 0; c < 2; ++c) {
    for (int h = 0; h < 4; ++h) {
      for (int w = 0; w < 4; ++w) {
        a.push_back((3 * h + 5 * w + 2 * c) % 7 - 3);
        b.push_back((2 * h + w * w + 3 * c) % 5 - 2);
      }
    }
  }
  NetworkDefaults defaults;
  defaults.readout = {1, 0};
  struct Row {
    const char* readout;
    std::array<double, 5> values;  // aa nngp, aa ntk, ab nngp, ab ntk, bb ntk
  };
  for (const Row& row :
       {Row{"flatten",
            {2.097222222222222, 6.291666666666667, 0.6492390486856769, 0.7772558489532666, 3.114583333333333}},
        Row{"gap",
            {0.9544584599184089, 1.457843855272459, 0.6483543087736837, 0.8818699607339846, 0.7389492831867482}}}) {
    const std::string layers = fmt::format("conv 3, relu, conv 3, relu, {}, dense", row.readout);
    const Network nngp = network(NetworkKernel::nngp, layers, shape, defaults);
    const Network ntk = network(NetworkKernel::ntk, layers, shape, defaults);
    const std::array<double, 5> values{entry(nngp, a, a), entry(ntk, a, a), entry(nngp, a, b), entry(ntk, a, b),
                                       entry(ntk, b, b)};
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(values[i], row.values[i], 1e-14 * row.values[i]) << row.readout << " " << i;
    }
  }
}

struct Case {
  std::string layers;
  ImageShape shape;
};

std::vector<Case> cases() {
  return {
      {"conv 3, relu, conv 3, relu, flatten, dense", {3, 5, 4}},
      {"conv 3 w=1.5 b=0.2, leaky-relu 0.3, conv 3, relu, gap, dense b=0.1", {3, 4, 5}},
      {"conv 3 circular, relu, conv 3 circular b=0.3, abs, gap, dense", {2, 4, 5}},
      {"conv 3 circular, relu, conv 5 circular, relu, flatten, dense, relu, dense", {2, 6, 5}},
      {"conv 3, relu, avgpool 2, conv 3, relu, gap, dense", {3, 4, 6}},
      {"conv 3, relu, avgpool 2, conv 3, relu, flatten, dense", {3, 4, 4}},
      {"conv 3 circular, relu, avgpool 2, conv 3 circular, relu, avgpool 2, conv 1, relu, gap, dense", {1, 8, 4}},
      {"conv 3, relu, avgpool 2, conv 3, relu, avgpool 2, conv 1, relu, flatten, relu, dense", {1, 8, 8}},
      {"avgpool 2, conv 3, relu, gap, dense", {2, 4, 4}},
      {"conv 5, relu, conv 1, relu, conv 3, gap", {2, 5, 5}},
      {"conv 3, erf, conv 3 frozen, erf, gap, dense", {2, 4, 4}},
      {"conv 3 b=0.1, erf, flatten, dense, relu, dense", {2, 4, 4}},
      {"conv 3, arccos 1, conv 3, gap, dense", {2, 3, 4}},
  };
}

TEST(ImageNetwork, AgreesWithTheDefinition) {
  for (const Case& c : cases()) {
    if (c.layers.find("arccos") != std::string::npos) continue;
    const std::vector<Image> x{random_image(0, c.shape), random_image(1, c.shape, 2)};
    std::vector<Image> y;
    for (std::int64_t i = 0; i < 10; ++i) {
      y.push_back(random_image(10 + i, c.shape));
      for (std::size_t k = 0; k < y.back().size() && i % 2 == 0; ++k) y.back()[k] += x[0][k];
    }
    y.push_back(x[1]);
    const auto rows = static_cast<std::int64_t>(x.size());
    const auto cols = static_cast<std::int64_t>(y.size());
    for (const auto which : {NetworkKernel::nngp, NetworkKernel::ntk}) {
      const Network net = network(which, c.layers, c.shape);
      std::vector<double> out(static_cast<std::size_t>(rows * cols));
      std::vector<float> single(out.size());
      evaluate(net, samples_of(x), {0, rows}, samples_of(y), {0, cols}, {out.data(), rows, cols, rows});
      evaluate(net, to_single(samples_of(x)), {0, rows}, to_single(samples_of(y)), {0, cols},
               {single.data(), rows, cols, rows});
      const Quad first_length = sqrtq(reference(net, x[0], x[0]));
      for (const std::size_t j : {std::size_t{0}, std::size_t{9}, y.size() - 1}) {
        const Quad length = sqrtq(reference(net, y[j], y[j]));
        // The last column is the second image of x itself.
        const std::size_t i = j + 1 == y.size() ? 1 : 0;
        const Quad expected = i == 1 ? length * length : reference(net, x[0], y[j]);
        const Quad unit = length * (i == 1 ? length : first_length);
        EXPECT_LT(static_cast<double>(fabsq(Quad(out[i + j * x.size()]) - expected) / unit), 1e-13)
            << c.layers << " " << i << " " << j << " ntk " << (which == NetworkKernel::ntk);
        EXPECT_LT(static_cast<double>(fabsq(Quad(single[i + j * x.size()]) - expected) / unit), 1e-5)
            << c.layers << " " << i << " " << j << " ntk " << (which == NetworkKernel::ntk);
      }
    }
  }
}

/// sqrt(2) max(x, 0) is the arc-cosine activation of order 1.
TEST(ImageNetwork, ArcCosineIsAScaledRectifier) {
  const ImageShape shape{2, 4, 4};
  const Image x = random_image(3, shape);
  const Image y = random_image(4, shape);
  EXPECT_NEAR(entry(network(NetworkKernel::ntk, "conv 3 w=1, arccos 1, gap", shape), x, y),
              entry(network(NetworkKernel::ntk, "conv 3 w=2, relu, gap", shape), x, y), 1e-14);
}

/// Without pooling two nearly equal views keep the accuracy of the kernel.
TEST(ImageNetwork, NearDuplicatesKeepFullAccuracy) {
  const ImageShape shape{3, 5, 5};
  for (const char* layers :
       {"conv 3, relu, conv 3 b=0.1, relu, flatten, dense, relu, dense", "conv 3, relu, conv 3 b=0.1, relu, gap, dense",
        "conv 3, erf, conv 3, erf, flatten, dense"}) {
    for (const double distance : {1e-2, 1e-6, 1e-9}) {
      const Image x = random_image(5, shape);
      const Image noise = random_image(6, shape, distance);
      Image y = x;
      for (std::size_t k = 0; k < y.size(); ++k) y[k] += noise[k];
      const Network net = network(NetworkKernel::ntk, layers, shape);
      const Quad expected = reference(net, x, y);
      EXPECT_LT(static_cast<double>(fabsq((Quad(entry(net, x, y)) - expected) / expected)), 1e-13)
          << layers << " " << distance;
    }
  }
}

TEST(ImageNetwork, BlackImagesAndPixels) {
  const ImageShape shape{1, 6, 6};
  const Image black(36, 0.0);
  Image spot = black;
  spot[14] = 1;
  const Image x = random_image(7, shape);
  for (const char* layers :
       {"conv 3, relu, conv 3, relu, gap, dense", "conv 3, relu, avgpool 2, conv 3, relu, flatten, dense",
        "conv 3, erf, conv 3, gelu, gap, dense"}) {
    const Network net = network(NetworkKernel::ntk, layers, shape);
    EXPECT_NEAR(entry(net, black, x), 0, 1e-15) << layers;
    EXPECT_TRUE(std::isfinite(entry(net, spot, x))) << layers;
    EXPECT_TRUE(std::isfinite(entry(net, spot, spot))) << layers;
  }
}

TEST(ImageNetwork, TilesAgreeWithSingleEntries) {
  const ImageShape shape{2, 4, 4};
  std::vector<Image> images;
  for (std::int64_t i = 0; i < 21; ++i) images.push_back(random_image(30 + i, shape));
  const Samples samples = samples_of(images);
  const Network net = network(NetworkKernel::ntk, "conv 3, relu, avgpool 2, conv 3, relu, gap, dense", shape);
  const Range rows{2, 20};
  const Range cols{1, 21};
  std::vector<double> out(static_cast<std::size_t>(rows.size() * cols.size()));
  evaluate(net, samples, rows, samples, cols, {out.data(), rows.size(), cols.size(), rows.size()});
  for (std::int64_t j = 0; j < cols.size(); ++j) {
    for (std::int64_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(out[static_cast<std::size_t>(i + j * rows.size())],
                entry(net, images[static_cast<std::size_t>(rows.begin + i)],
                      images[static_cast<std::size_t>(cols.begin + j)]));
    }
  }
}

}  // namespace
}  // namespace stepwise
