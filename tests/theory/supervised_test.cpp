#include "stepwise/theory/supervised.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "problem.hpp"
#include "stepwise/dist/pblas.hpp"

namespace stepwise {
namespace {

/// A kernel's eigenvectors, targets and a start, on the first process grid.
struct Regression {
  explicit Regression(const std::shared_ptr<const ProcessGrid>& process_grid)
      : grid(process_grid), pairs(test::random_pairs(15, 6, 0.5)), k(test::kernel_matrix(RbfKernel{2}, pairs, grid)) {
    const auto times = [this](const DistMatrix& v) {
      DistMatrix result(v.shared_grid(), k.rows(), v.cols(), v.block());
      multiply(1, Transpose::no, k, Transpose::no, v, result);
      return result;
    };
    const Eigenpairs eigenpairs = largest_eigenpairs({[this] { return k.clone(); }, times}, k.rows());
    f0 = make_block_vector(grid->comm(), k.rows(), 2, 2);
    y = f0;
    for (std::int64_t i = 0; i < f0.range.size(); ++i) {
      const auto number = static_cast<double>(f0.range.begin + i);
      for (std::int64_t o = 0; o < 2; ++o) {
        f0.local()(o, i) = std::sin(number + static_cast<double>(o));
        y.local()(o, i) = std::cos(3 * number - static_cast<double>(o));
      }
    }
    modes = supervised_modes(eigenpairs, f0, y, grid->comm(), 2);
  }

  /// f - (rate / N) K (f - y)
  [[nodiscard]] BlockVector step(const BlockVector& f, double rate) const {
    BlockVector left = f;
    for (std::size_t i = 0; i < left.data.size(); ++i) left.data[i] -= y.data[i];
    BlockVector next = f;
    BlockVector pull = f;
    BlockProduct(k, 2)(left.local(), pull.local());
    for (std::size_t i = 0; i < next.data.size(); ++i) {
      next.data[i] -= rate / static_cast<double>(k.rows()) * pull.data[i];
    }
    return next;
  }

  [[nodiscard]] double loss(const BlockVector& f) const {
    double total = 0;
    for (std::size_t i = 0; i < f.data.size(); ++i) total += (f.data[i] - y.data[i]) * (f.data[i] - y.data[i]);
    return sum(grid->comm(), total) / static_cast<double>(2 * k.rows());
  }

  std::shared_ptr<const ProcessGrid> grid;
  test::Pairs pairs;
  DistMatrix k;
  BlockVector f0;
  BlockVector y;
  SupervisedModes modes;
};

double largest_difference(const BlockVector& a, const BlockVector& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i) most = std::max(most, std::abs(a.data[i] - b.data[i]));
  return most;
}

TEST(Supervised, DescentInClosedFormIsDescent) {
  const Regression regression(ProcessGrid::create(test::world(), nearly_square(test::world().size())));
  constexpr double rate = 0.7;
  BlockVector f = regression.f0;
  for (int step = 0; step < 25; ++step) f = regression.step(f, rate);
  const auto decay = descent_decay(regression.modes, rate, 25);
  EXPECT_LT(largest_difference(supervised_outputs(regression.modes, regression.y, decay), f), 1e-12);
  EXPECT_NEAR(supervised_loss(regression.modes, decay), regression.loss(f), 1e-12);
  const auto found = residuals_along(regression.modes, f, regression.y, 5, test::world());
  const auto expected = supervised_residuals(regression.modes, decay, 5);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(found[i], expected[i], 1e-12);
}

TEST(Supervised, FlowIsTheLimitOfDescent) {
  const Regression regression(ProcessGrid::create(test::world(), nearly_square(test::world().size())));
  const auto flow = flow_decay(regression.modes, 30);
  for (const std::int64_t steps : {1000, 1'000'000}) {
    const auto descent = descent_decay(regression.modes, 30 / static_cast<double>(steps), steps);
    for (std::size_t i = 0; i < flow.size(); ++i) EXPECT_NEAR(descent[i], flow[i], 200 / static_cast<double>(steps));
  }
}

TEST(Supervised, AlignmentAddsUpAndComplexityIsTheQuadraticForm) {
  const Regression regression(ProcessGrid::create(test::world(), nearly_square(test::world().size())));
  const SupervisedModes& modes = regression.modes;
  BlockVector zero = regression.y;
  std::fill(zero.data.begin(), zero.data.end(), 0.0);
  const double n = 30;
  EXPECT_NEAR(std::accumulate(modes.alignment.begin(), modes.alignment.end(), 0.0), 2 * n * regression.loss(zero),
              1e-10);
  double expected = 0;
  for (std::size_t i = 0; i < modes.lambda.size(); ++i) expected += 2 * modes.alignment[i] / modes.lambda[i] / n;
  EXPECT_NEAR(complexity(modes, 0).value, std::sqrt(expected), 1e-9 * std::sqrt(expected));
  const Complexity cut = complexity(modes, (modes.lambda[3] + modes.lambda[4]) / 2);
  EXPECT_NEAR(cut.unreachable, std::accumulate(modes.alignment.begin() + 4, modes.alignment.end(), 0.0), 1e-12);
}

}  // namespace
}  // namespace stepwise
