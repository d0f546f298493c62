#include <gtest/gtest.h>

#include "theory/problem.hpp"

namespace stepwise {
namespace {

using namespace test;

/// The linear kernel of pairs the last of which is zero, with -x in place of one of that pair's zeros.
DistMatrix nearly_semidefinite(const std::shared_ptr<const ProcessGrid>& grid, double x) {
  Pairs pairs = random_pairs(11, 5, 0.3);
  pairs.data.resize(pairs.data.size() + 10);
  DistMatrix k = kernel_matrix(LinearKernel{}, pairs, grid);
  const Global last{k.rows() - 1};
  const auto owner = [&](const BlockCyclic& map, std::int64_t here) { return map.owner(last) == here; };
  if (owner(k.row_map(), grid->row()) && owner(k.col_map(), grid->col())) {
    k.local()(value(k.row_map().to_local(last)), value(k.col_map().to_local(last))) = -x;
  }
  return k;
}

TEST(NegativePart, IsCutOffWhereAllowed) {
  for (const auto& grid : every_grid()) {
    const DistMatrix sound = nearly_semidefinite(grid, 0);
    const ContrastiveModes expected = contrastive_modes(sound, 3, {Factorisation::spectral});
    const double trace = direct(expected).kernel_eigenvalues.front();
    const double x = 1e-7 * trace;
    const DistMatrix k = nearly_semidefinite(grid, x);
    const ContrastiveModes modes = contrastive_modes(k, 3, {Factorisation::spectral, std::nullopt, {}, 1e-6});
    for (std::size_t j = 0; j < modes.gamma.size(); ++j) {
      EXPECT_NEAR(modes.gamma[j], expected.gamma[j], 1e-13 * expected.gamma[0]);
    }
    EXPECT_NEAR(modes.mean_pair_kernel, expected.mean_pair_kernel, 1e-13 * trace);
    ASSERT_TRUE(modes.negative);
    EXPECT_NEAR(modes.negative->smallest, -x, 1e-6 * x);
    EXPECT_LT(modes.negative->mass, 1e-7);
    EXPECT_GT(modes.negative->mass, 1e-8);
    EXPECT_FALSE(modes.negative->estimated);
    for (const double residual : modes.residuals) EXPECT_LT(residual, 1e-12);
    EXPECT_THROW((void)contrastive_modes(k, 3, {Factorisation::spectral, std::nullopt, {}, 1e-9}), CollectiveError);
    EXPECT_THROW((void)contrastive_modes(k, 3, {Factorisation::spectral}), CollectiveError);
  }
}

TEST(NegativePart, KrylovLeavesItOut) {
  for (const auto& grid : every_grid()) {
    const ContrastiveModes expected = contrastive_modes(nearly_semidefinite(grid, 0), 3, {Factorisation::spectral});
    const DistMatrix k = nearly_semidefinite(grid, 1e-7 * direct(expected).kernel_eigenvalues.front());
    const ContrastiveModes modes = modes_of(k, 3, Method::krylov);
    for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(modes.gamma[j], expected.gamma[j], 1e-7 * expected.gamma[0]);
  }
}

}  // namespace
}  // namespace stepwise
