#include "stepwise/kernel/kernel_product.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "support/grids.hpp"

namespace stepwise {
namespace {

using test::normal_entry;
using test::world;

constexpr std::int64_t m = 12;

Samples samples_of(Range range) {
  std::vector<double> data;
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    for (std::int64_t k = 0; k < m; ++k) data.push_back(normal_entry(i, k));
  }
  return make_samples(m, data);
}

const BasicSamples<double>& in_precision(const Samples& samples, double) {
  return samples;
}
SingleSamples in_precision(const Samples& samples, float) {
  return to_single(samples);
}

enum class Tiles { stored, evaluated };

/// Y = K V against sums over the replicated samples in double precision, to `bound` times the sum of all magnitudes.
template <class T>
void expect_products(const Kernel& kernel, std::int64_t n, Tiles tiles, double bound) {
  const Samples all = samples_of({0, n});
  const Range range = sample_share(world(), n, 2);
  const Samples own = samples_of(range);
  const auto precise = in_precision(own, T{});
  KernelProduct<T> product(kernel, precise, world(), n, 2);
  double progress = 0;
  if (tiles == Tiles::stored) product.store([&](double fraction) { progress = fraction; });
  EXPECT_EQ(progress, tiles == Tiles::stored ? 1 : 0);
  for (const std::int64_t width : {1, 3}) {
    BlockVector v = make_block_vector(world(), n, width, 2);
    for (std::int64_t s = 0; s < range.size(); ++s) {
      for (std::int64_t j = 0; j < width; ++j) v.local()(j, s) = normal_entry(j, range.begin + s, 11);
    }
    BlockVector y = v;
    product(v.local(), y.local());
    std::vector<double> row(static_cast<std::size_t>(n));
    for (std::int64_t s = 0; s < range.size(); ++s) {
      evaluate(kernel, all, {0, n}, own, {s, s + 1}, {row.data(), n, 1, n});
      for (std::int64_t j = 0; j < width; ++j) {
        double expected = 0;
        double size = 0;
        for (std::int64_t i = 0; i < n; ++i) {
          const double term = row[static_cast<std::size_t>(i)] * normal_entry(j, i, 11);
          expected += term;
          size += std::abs(term);
        }
        ASSERT_NEAR(y.local()(j, s), expected, bound * size) << n << " samples, width " << width;
      }
    }
  }
}

/// Fewer samples than ranks, shares of unequal size, shares of several tiles, rows that end inside a tile.
TEST(KernelProduct, AgreesWithSumsOverAllSamples) {
  for (const Kernel& kernel : {Kernel(LinearKernel{}), Kernel(RbfKernel{3}),
                               Kernel(fully_connected(NetworkKernel::ntk, {{2, 0.1}, {2, 0}, {1, 0}}))}) {
    for (const std::int64_t n : {2, 6, 26, 1100}) {
      for (const Tiles tiles : {Tiles::stored, Tiles::evaluated}) {
        expect_products<double>(kernel, n, tiles, 50 * std::numeric_limits<double>::epsilon());
        expect_products<float>(kernel, n, tiles, 50 * static_cast<double>(std::numeric_limits<float>::epsilon()));
      }
    }
  }
}

/// Slow kernels come in tiles of their own sizes.
TEST(KernelProduct, TilesOfConvolutionalNetworks) {
  for (const Layer& readout : {Layer(GlobalAverage{}), Layer(Flatten{})}) {
    const Kernel kernel = Network{
        NetworkKernel::ntk, {ConvLayer{}, Activation{Rectifier{}}, ConvLayer{}, readout, AffineLayer{}}, {3, 2, 2}};
    for (const Tiles tiles : {Tiles::stored, Tiles::evaluated}) {
      expect_products<double>(kernel, 600, tiles, 50 * std::numeric_limits<double>::epsilon());
      expect_products<float>(kernel, 150, tiles, 200 * static_cast<double>(std::numeric_limits<float>::epsilon()));
    }
  }
}

}  // namespace
}  // namespace stepwise
