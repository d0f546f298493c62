#include "stepwise/solve/lanczos.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "stepwise/dist/block_vector.hpp"

namespace stepwise {
namespace {

/// diag(f(0), ..., f(n - 1)), after `steps` steps.
template <class F>
RitzRange of_diagonal(std::int64_t n, std::int64_t steps, const F& f) {
  const Communicator world(MPI_COMM_WORLD);
  const Range own = sample_share(world, n, 2);
  return ritz_range(world, n, 2, steps, 7, [&](MatrixView<const double> v, MatrixView<double> y) {
    for (std::int64_t s = 0; s < v.cols; ++s) y(0, s) = f(own.begin + s) * v(0, s);
  });
}

TEST(Lanczos, AsManyStepsAsRowsGiveTheSpectrum) {
  const auto range = of_diagonal(12, 40, [](std::int64_t i) { return static_cast<double>(i) - 3; });
  EXPECT_NEAR(range.smallest, -3, 1e-12);
  EXPECT_NEAR(range.largest, 8, 1e-12);
}

TEST(Lanczos, FindsOneNegativeEigenvalueAmongMany) {
  const auto range = of_diagonal(
      3000, 40, [](std::int64_t i) { return i == 1234 ? -0.01 : 1.0 / (1.0 + 0.1 * static_cast<double>(i)); });
  EXPECT_NEAR(range.largest, 1, 1e-6);
  EXPECT_LT(range.smallest, -0.005);
  EXPECT_GE(range.smallest, -0.01 - 1e-12);
}

TEST(Lanczos, FewDistinctEigenvalues) {
  const auto zero = of_diagonal(50, 40, [](std::int64_t) { return 0.0; });
  EXPECT_EQ(zero.smallest, 0);
  EXPECT_EQ(zero.largest, 0);
  const auto two = of_diagonal(50, 40, [](std::int64_t i) { return i % 2 == 0 ? 2.0 : -1.0; });
  EXPECT_NEAR(two.smallest, -1, 1e-10);
  EXPECT_NEAR(two.largest, 2, 1e-10);
}

}  // namespace
}  // namespace stepwise
