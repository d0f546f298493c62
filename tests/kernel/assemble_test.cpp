#include "stepwise/kernel/assemble.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "support/grids.hpp"

namespace stepwise {
namespace {

using test::every_grid;
using test::replicate;

constexpr std::int64_t m = 30;

Samples samples_of(std::int64_t count, auto global_index) {
  std::vector<double> data(static_cast<std::size_t>(m * count));
  for (std::int64_t i = 0; i < count; ++i) {
    RandomStream random(1, Purpose::probe, global_index(i));
    for (std::int64_t k = 0; k < m; ++k) data[static_cast<std::size_t>(i * m + k)] = random.normal();
  }
  return make_samples(m, data);
}

TEST(Assemble, SameMatrixOnEveryGridAndSymmetricToTheBit) {
  const Kernel kernel = fully_connected(NetworkKernel::ntk, {{2, 0.1}, {2, 0.1}, {1, 0}});
  for (const std::int64_t n : {2, 14, 90}) {
    const Samples all = samples_of(n, [](std::int64_t i) { return i; });
    std::vector<double> expected(static_cast<std::size_t>(n * n));
    evaluate(kernel, all, {0, n}, all, {0, n}, {expected.data(), n, n, n});
    for (const auto& grid : every_grid()) {
      for (const std::int64_t block : {2, 8}) {
        const DistMatrix layout(grid, n, n, block);
        const Samples rows = samples_of(layout.local().rows, [&](std::int64_t i) { return layout.global_row(i); });
        const Samples cols = samples_of(layout.local().cols, [&](std::int64_t j) { return layout.global_col(j); });
        double last = 0;
        const DistMatrix k = assemble(kernel, rows, cols, grid, n, block, [&](double fraction) { last = fraction; });
        const auto full = replicate(k);
        for (std::int64_t j = 0; j < n; ++j) {
          for (std::int64_t i = 0; i < n; ++i) {
            const auto at = static_cast<std::size_t>(i + j * n);
            EXPECT_NEAR(full[at], expected[at], 50 * std::numeric_limits<double>::epsilon() * expected[0]);
            EXPECT_EQ(full[at], full[static_cast<std::size_t>(j + i * n)]);
          }
        }
        EXPECT_LE(last, 1);
      }
    }
  }
}

}  // namespace
}  // namespace stepwise
