#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "theory/problem.hpp"

namespace stepwise {
namespace {

using test::direct;
using test::every_grid;
using test::kernel_matrix;
using test::Pairs;
using test::random_pairs;
using test::world;

constexpr double eps = std::numeric_limits<double>::epsilon();

Samples own_samples(const Pairs& pairs) {
  const Range own = sample_share(world(), pairs.samples(), 2);
  return pairs.pick(test::range_numbers(own.begin, own.end));
}

ContrastiveModes primal(const Pairs& pairs, const std::shared_ptr<const ProcessGrid>& grid, std::int64_t d) {
  const GridShape shape = grid->shape();
  const std::int64_t block = fitting_block(pairs.features, std::max(shape.rows, shape.cols), 4, 1);
  return primal_modes(own_samples(pairs), grid, pairs.samples(), block, d);
}

/// Features more than one panel wide, and as many as samples; the matrix of inner products knows nothing of features.
TEST(Primal, AgreesWithTheKernelMatrix) {
  struct Size {
    std::int64_t pairs;
    std::int64_t features;
  };
  for (const Size size : {Size{20, 7}, Size{10, 20}, Size{300, 520}}) {
    const Pairs pairs = random_pairs(size.pairs, size.features, .4);
    for (const auto& grid : every_grid()) {
      SCOPED_TRACE(std::to_string(size.features) + " features on " + std::to_string(grid->shape().rows) + " rows");
      const std::int64_t d = 5;
      const auto modes = primal(pairs, grid, d);
      const auto expected =
          contrastive_modes(kernel_matrix(LinearKernel{}, pairs, grid, 32), d, {Factorisation::cholesky});
      const double unit = static_cast<double>(pairs.samples()) * eps * expected.gamma[0];
      ASSERT_EQ(modes.gamma.size(), expected.gamma.size());
      for (std::size_t j = 0; j < modes.gamma.size(); ++j) EXPECT_NEAR(modes.gamma[j], expected.gamma[j], 10 * unit);
      EXPECT_EQ(direct(modes).positive, direct(expected).positive);
      EXPECT_EQ(direct(modes).rank, direct(expected).rank);
      EXPECT_NEAR(modes.mean_pair_kernel, expected.mean_pair_kernel, 10 * unit);
      for (const double residual : modes.residuals) EXPECT_LE(residual, 1e-13);
      const auto difference = compare(modes, expected, world());
      EXPECT_LE(difference.gamma, 10 * unit / expected.gamma[0]);
      EXPECT_LE(difference.angle, 1e-6);
      const auto learned = test::learned_kernel(training_embedding(modes, world()).train);
      const auto reference = test::learned_kernel(training_embedding(expected, world()).train);
      const double largest = *std::max_element(reference.begin(), reference.end());
      for (std::size_t i = 0; i < learned.size(); ++i) ASSERT_NEAR(learned[i], reference[i], 1e-9 * largest);
    }
  }
}

TEST(Primal, SpectrumAloneIsTheSame) {
  const Pairs pairs = random_pairs(20, 7, .4);
  for (const auto& grid : every_grid()) {
    const auto modes = primal(pairs, grid, 3);
    const auto spectrum = primal(pairs, grid, 0);
    EXPECT_EQ(spectrum.dual.width, 0);
    for (std::size_t j = 0; j < 40; ++j) EXPECT_NEAR(spectrum.gamma[j], modes.gamma[j], 40 * eps * modes.gamma[0]);
  }
}

TEST(Primal, RefusalsSayHowMany) {
  const auto message = [](const Pairs& pairs, std::int64_t d) -> std::string {
    try {
      (void)primal(pairs, every_grid().front(), d);
    } catch (const CollectiveError& error) {
      EXPECT_EQ(error.code(), ExitCode::input);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_NE(message(random_pairs(20, 7, .4), 8).find("--modes is 8, but 7 features"), std::string::npos);
  EXPECT_NE(message(random_pairs(3, 7, .4), 1).find("all 7 features, more than the 6 samples"), std::string::npos);
  // Only one of the two features varies.
  Pairs flat{2, {}};
  for (int i = 0; i < 12; ++i) flat.data.insert(flat.data.end(), {1.0 + i / 2, 0});
  EXPECT_NE(message(flat, 2).find("has only 1 positive"), std::string::npos);
}

TEST(Compare, SeesWhatIsDifferent) {
  const Pairs pairs = random_pairs(20, 7, .4);
  const auto grid = every_grid().front();
  const auto modes = contrastive_modes(kernel_matrix(LinearKernel{}, pairs, grid), 4, {Factorisation::spectral});
  EXPECT_EQ(compare(modes, modes, world()).gamma, 0);
  EXPECT_LE(compare(modes, modes, world()).angle, 1e-7);
  // Turn the last mode by a known angle towards one outside the span, and move its gamma.
  const auto five = contrastive_modes(kernel_matrix(LinearKernel{}, pairs, grid), 5, {Factorisation::spectral});
  ContrastiveModes turned;
  turned.pairing = modes.pairing;
  turned.gamma = modes.gamma;
  turned.dual = modes.dual;
  turned.kernel_dual = modes.kernel_dual;
  const double angle = 1e-3;
  for (std::int64_t s = 0; s < modes.dual.range.size(); ++s) {
    for (const auto& [to, from] :
         {std::pair(&turned.dual, &five.dual), std::pair(&turned.kernel_dual, &five.kernel_dual)}) {
      to->local()(3, s) = std::cos(angle) * to->local()(3, s) + std::sin(angle) * from->local()(4, s);
    }
  }
  turned.gamma[3] -= 1e-4 * modes.gamma[0];
  EXPECT_NEAR(compare(modes, turned, world()).angle, angle, 1e-8);
  EXPECT_NEAR(compare(modes, turned, world()).gamma, 1e-4, 1e-12);
}

}  // namespace
}  // namespace stepwise
