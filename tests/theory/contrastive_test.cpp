#include "stepwise/theory/contrastive.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "stepwise/dist/pblas.hpp"
#include "support/lapack.hpp"
#include "theory/problem.hpp"

namespace stepwise {
namespace {

using test::every_grid;
using test::kernel_matrix;
using test::Pairs;
using test::random_pairs;
using test::world;

constexpr double eps = std::numeric_limits<double>::epsilon();
using test::direct;
using test::Method;
using test::modes_of;
constexpr std::array every_method{Method::cholesky, Method::spectral, Method::krylov};
constexpr std::array both{Factorisation::cholesky, Factorisation::spectral};

// The pipeline of 3 pairs worked out in 40-digit arithmetic.
const Pairs three_pairs{3, {1, 0, .5, .9, .1, .5, 0, 1, -.5, .2, 1.1, -.4, 1, 1, 0, .8, 1.2, .3}};

TEST(Contrastive, FortyDigitPipelineGammas) {
  for (const auto& grid : every_grid()) {
    for (const auto method : both) {
      const auto linear = contrastive_modes(kernel_matrix(LinearKernel{}, three_pairs, grid), 2, {method});
      const std::vector<double> expected{1.064517093294236, .4305978989698279, 0, 0, 0, -.01178165893073086};
      for (std::size_t j = 0; j < 6; ++j) EXPECT_NEAR(linear.gamma[j], expected[j], 1e-14);
      EXPECT_EQ(direct(linear).positive, 2);
      EXPECT_EQ(direct(linear).rank, 3);

      const auto rbf = contrastive_modes(kernel_matrix(RbfKernel{1}, three_pairs, grid), 3, {method});
      const std::vector<double> values{.638340620263483,     .2410989220011346,    .09696397813377789,
                                       -.001126014288375379, -.002389466687334279, -.01321882218964133};
      for (std::size_t j = 0; j < 6; ++j) EXPECT_NEAR(rbf.gamma[j], values[j], 1e-14);
      EXPECT_EQ(direct(rbf).positive, 3);
    }
  }
}

TEST(Contrastive, SpectrumAloneIsTheSame) {
  const Pairs pairs = random_pairs(16, 5, .3);
  for (const auto& grid : every_grid()) {
    for (const auto method : both) {
      const DistMatrix k = kernel_matrix(RbfKernel{2}, pairs, grid);
      const auto modes = contrastive_modes(k, 3, {method});
      const auto spectrum = contrastive_modes(k, 0, {method});
      EXPECT_EQ(spectrum.dual.width, 0);
      EXPECT_TRUE(spectrum.residuals.empty());
      EXPECT_EQ(direct(spectrum).positive, direct(modes).positive);
      EXPECT_LE(direct(spectrum).trace_error, 40 * 10 * eps);
      for (std::size_t j = 0; j < 32; ++j)
        EXPECT_NEAR(spectrum.gamma[j], modes.gamma[j], 32 * 10 * eps * modes.gamma[0]);
    }
  }
}

/// The shift of cholesky moves every gamma, but not their sum: the check must not mix shifted and unshifted ones.
TEST(Contrastive, AlmostAllModesPassTheirChecks) {
  const Pairs pairs = random_pairs(120, 30, .3);
  const DistMatrix k = kernel_matrix(RbfKernel{8}, pairs, every_grid().front(), 16);
  for (const auto method : both) {
    const auto modes = contrastive_modes(k, 110, {method});
    EXPECT_EQ(modes.residuals.size(), 110U);
    EXPECT_LE(direct(modes).trace_error, 240 * 10 * eps);
  }
}

TEST(Contrastive, GoesOnFromItsFactorBitByBit) {
  const Pairs pairs = random_pairs(16, 5, .3);
  for (const auto& grid : every_grid()) {
    for (const auto method : both) {
      const DistMatrix k = kernel_matrix(RbfKernel{2}, pairs, grid);
      const auto whole = contrastive_modes(k, 3, {method});
      std::optional<Factor> kept;
      int eigensolves = 0;
      DirectOptions first{method};
      first.safe_points.before_eigensolve = [&](const Factor* factor, double seconds) {
        ++eigensolves;
        EXPECT_GT(seconds, 0);
        if (factor == nullptr) return;
        kept.emplace(Factor{factor->w.clone(), factor->shift, factor->eigenvalues});
        throw CollectiveError(ExitCode::stopped, "here");
      };
      EXPECT_THROW((void)contrastive_modes(k, 3, first), CollectiveError);
      EXPECT_EQ(eigensolves, method == Factorisation::cholesky ? 1 : 2);
      ASSERT_TRUE(kept.has_value());
      DirectOptions second{method};
      second.safe_points.resume = [&](Factor& factor) {
        factor = std::move(*kept);
        return true;
      };
      const auto resumed = contrastive_modes(k, 3, second);
      EXPECT_EQ(resumed.gamma, whole.gamma);
      EXPECT_EQ(resumed.dual.data, whole.dual.data);
      EXPECT_EQ(resumed.kernel_dual.data, whole.kernel_dual.data);
      EXPECT_EQ(direct(resumed).shift, direct(whole).shift);
      EXPECT_EQ(direct(resumed).kernel_eigenvalues, direct(whole).kernel_eigenvalues);
    }
  }
}

TEST(Contrastive, PositiveDefiniteKernelsHaveInertiaNN) {
  const Pairs pairs = random_pairs(15, 6, .3);
  for (const auto method : both) {
    const auto modes = contrastive_modes(kernel_matrix(RbfKernel{2}, pairs, every_grid().front()), 5, {method});
    EXPECT_EQ(direct(modes).positive, 15);
    EXPECT_EQ(direct(modes).rank, 30);
  }
}

TEST(Contrastive, SumOfGammasIsTheMeanPairKernel) {
  const Pairs pairs = random_pairs(20, 5, .5);
  const Kernel kernel = fully_connected(NetworkKernel::ntk, {{2, 0}, {2, 0}, {2, 0}});
  double mean = 0;
  for (std::int64_t i = 0; i < 20; ++i) {
    double k = 0;
    evaluate(kernel, pairs.pick({2 * i}), {0, 1}, pairs.pick({2 * i + 1}), {0, 1}, {&k, 1, 1, 1});
    mean += k / 20;
  }
  for (const auto& grid : every_grid()) {
    for (const auto method : both) {
      const auto modes = contrastive_modes(kernel_matrix(kernel, pairs, grid), 4, {method});
      EXPECT_NEAR(modes.mean_pair_kernel, mean, 100 * eps * mean);
      double total = 0;
      for (const double gamma : modes.gamma) total += gamma;
      EXPECT_NEAR(total, mean, 40 * 10 * eps * modes.gamma[0]);
      EXPECT_LE(direct(modes).trace_error, 40 * 10 * eps);
    }
  }
}

/// Gamma = (1/N) Phi^T P Phi where features are explicit.
TEST(Contrastive, LinearKernelMatchesTheExplicitFeatureMatrix) {
  const std::int64_t m = 7;
  const Pairs pairs = random_pairs(30, m, .4);
  std::vector<double> gamma_matrix(static_cast<std::size_t>(m * m));
  const double n = static_cast<double>(pairs.samples());
  for (std::int64_t s = 0; s < pairs.samples(); ++s) {
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < m; ++j) {
        gamma_matrix[static_cast<std::size_t>(i + j * m)] +=
            pairs.data[static_cast<std::size_t>(s * m + i)] * pairs.data[static_cast<std::size_t>((s ^ 1) * m + j)] / n;
      }
    }
  }
  const auto expected = test::sequential_eigen(gamma_matrix, m);
  for (const auto& grid : every_grid()) {
    for (const auto method : every_method) {
      const auto modes = modes_of(kernel_matrix(LinearKernel{}, pairs, grid), m, method);
      for (std::size_t j = 0; j < 7; ++j) {
        EXPECT_NEAR(modes.gamma[j], expected.values[j], 60 * 10 * eps * expected.values[0]);
        EXPECT_LE(modes.residuals[j], 1e-11);
      }
      // g_j = Phi^T a_j is the unit eigenvector of Gamma.
      const auto dual = test::replicate(modes.dual);
      for (std::size_t j = 0; j < 7; ++j) {
        double overlap = 0;
        double length = 0;
        for (std::int64_t k = 0; k < m; ++k) {
          double g = 0;
          for (std::int64_t s = 0; s < pairs.samples(); ++s) {
            g += pairs.data[static_cast<std::size_t>(s * m + k)] * dual[static_cast<std::size_t>(s * m) + j];
          }
          overlap += g * expected.vectors[static_cast<std::size_t>(k) + j * 7];
          length += g * g;
        }
        EXPECT_NEAR(length, 1, 1e-10);
        EXPECT_NEAR(std::abs(overlap), 1, 1e-10);
      }
    }
  }
}

/// Z = (1/N) K P K maps through the modes: (K a_j)^T P (K a_k) / N = gamma_j if j = k, else 0; and a_j^T K a_k =
/// delta_jk.
TEST(Contrastive, DualVectorsDiagonaliseZ) {
  const Pairs pairs = random_pairs(18, 6, .3);
  const std::int64_t d = 6;
  for (const auto& grid : every_grid()) {
    for (const auto method : every_method) {
      const auto modes = modes_of(kernel_matrix(LaplaceKernel{2}, pairs, grid), d, method);
      const auto a = test::replicate(modes.dual);
      const auto ka = test::replicate(modes.kernel_dual);
      for (std::size_t i = 0; i < 6; ++i) {
        for (std::size_t j = 0; j < 6; ++j) {
          double z = 0;
          double gram = 0;
          for (std::size_t s = 0; s < 36; ++s) {
            z += ka[i + 6 * s] * ka[j + 6 * (s ^ 1U)] / 36;
            gram += a[i + 6 * s] * ka[j + 6 * s];
          }
          EXPECT_NEAR(z, i == j ? modes.gamma[i] : 0, 1e-12 * modes.gamma[0]);
          EXPECT_NEAR(gram, i == j ? 1 : 0, 1e-10);
        }
      }
    }
  }
}

TEST(Contrastive, EqualViewsGiveTheSpectrumOfK) {
  const Pairs pairs = random_pairs(16, 5, 0);
  for (const auto& grid : every_grid()) {
    const DistMatrix k = kernel_matrix(RbfKernel{1.5}, pairs, grid);
    const auto spectrum = test::sequential_eigen(test::replicate(k), 32);
    for (const auto method : both) {
      const auto modes = contrastive_modes(k, 4, {method});
      EXPECT_EQ(direct(modes).positive, 16);
      EXPECT_EQ(direct(modes).rank, 16);
      for (std::size_t j = 0; j < 16; ++j) {
        EXPECT_NEAR(modes.gamma[j], spectrum.values[j] / 32, 32 * 2 * eps * modes.gamma[0]);
      }
    }
  }
}

/// Two modalities with K_XX' = 0: gamma = +-sigma_j(K_XX^{1/2} K_X'X'^{1/2}) / N, so the spectrum is symmetric.
TEST(Contrastive, MultimodalSpectrumIsSymmetricAboutZero) {
  const Pairs pairs = random_pairs(12, 5, .8);
  for (const auto& grid : every_grid()) {
    DistMatrix k = kernel_matrix(RbfKernel{2}, pairs, grid);
    const auto local = k.local();
    for (std::int64_t j = 0; j < local.cols; ++j) {
      for (std::int64_t i = 0; i < local.rows; ++i) {
        if ((k.global_row(i) + k.global_col(j)) % 2 != 0) local(i, j) = 0;
      }
    }
    for (const auto method : both) {
      const auto modes = contrastive_modes(k, 3, {method});
      for (std::size_t j = 0; j < 24; ++j) {
        EXPECT_NEAR(modes.gamma[j], -modes.gamma[23 - j], 24 * 2 * eps * modes.gamma[0]);
      }
    }
  }
}

TEST(Contrastive, ScalingTheKernelScalesGamma) {
  const Pairs pairs = random_pairs(14, 4, .3);
  const auto grid = every_grid().front();
  for (const auto method : both) {
    const DistMatrix k = kernel_matrix(RbfKernel{2}, pairs, grid);
    const auto plain = contrastive_modes(k, 4, {method});
    for (const double c : {1e-100, 1e100, 7.0}) {
      DistMatrix scaled = k.clone();
      scale(scaled, c);
      const auto modes = contrastive_modes(scaled, 4, {method});
      for (std::size_t j = 0; j < 28; ++j) {
        EXPECT_NEAR(modes.gamma[j] / c, plain.gamma[j], 28 * 4 * eps * plain.gamma[0]) << c;
      }
      EXPECT_EQ(direct(modes).positive, direct(plain).positive);
    }
  }
}

/// Where ELPA's second stage silently loses orthogonality.
TEST(Contrastive, ConstantAndFewDistinctSamples) {
  for (const auto& grid : every_grid()) {
    for (const auto method : both) {
      Pairs constant{3, {}};
      for (int s = 0; s < 400; ++s) constant.data.insert(constant.data.end(), {1, 2, -1});
      const auto one = contrastive_modes(kernel_matrix(LinearKernel{}, constant, grid, 32), 1, {method});
      EXPECT_EQ(direct(one).positive, 1);
      EXPECT_NEAR(one.gamma[0], 6, 6 * 400 * 10 * eps);
      EXPECT_LE(one.residuals[0], 1e-12);

      Pairs few{3, {}};
      for (int s = 0; s < 400; ++s) {
        const double x = s / 2 % 3;
        few.data.insert(few.data.end(), {x == 0 ? 1.0 : 0.0, x == 1 ? 1.0 : 0.0, x == 2 ? 1.0 : 0.0});
      }
      const auto three = contrastive_modes(kernel_matrix(LinearKernel{}, few, grid, 32), 3, {method});
      EXPECT_EQ(direct(three).positive, 3);
      EXPECT_NEAR(three.gamma[0], 67.0 / 200, 1e-12);
      EXPECT_NEAR(three.gamma[2], 66.0 / 200, 1e-12);
    }
  }
}

TEST(Contrastive, TooManyModesSaysHowManyThereAre) {
  const auto message = [](std::int64_t d) -> std::string {
    try {
      (void)contrastive_modes(kernel_matrix(LinearKernel{}, three_pairs, every_grid().front()), d,
                              {Factorisation::cholesky});
    } catch (const CollectiveError& error) {
      EXPECT_EQ(error.code(), ExitCode::input);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_NE(message(-1).find("from 1 to"), std::string::npos);
  EXPECT_NE(message(3).find("only 2 positive modes"), std::string::npos);
  EXPECT_NE(message(7).find("from 1 to"), std::string::npos);
  EXPECT_EQ(message(2), "accepted");
}

TEST(Contrastive, BadKernelMatricesAreRefusedOnEveryRank) {
  const auto code = [](const DistMatrix& k, Factorisation method) {
    try {
      (void)contrastive_modes(k, 1, {method});
    } catch (const CollectiveError& error) {
      return error.code();
    }
    return ExitCode::done;
  };
  for (const auto& grid : every_grid()) {
    for (const auto method : both) {
      const DistMatrix indefinite = test::make_matrix(grid, 12, 12, 2, [](auto i, auto j) {
        return i != j ? 0.0 : i == 5 ? -1.0 : 1.0;
      });
      EXPECT_EQ(code(indefinite, method), ExitCode::numerical);
      const DistMatrix nan = test::make_matrix(grid, 12, 12, 2, [](auto i, auto j) {
        return i == 7 && j == 7 ? std::numeric_limits<double>::quiet_NaN() : i == j ? 1.0 : 0.0;
      });
      EXPECT_EQ(code(nan, method), ExitCode::input);
      const DistMatrix zero(grid, 12, 12, 2);
      EXPECT_EQ(code(zero, method), ExitCode::input);
    }
  }
}

}  // namespace
}  // namespace stepwise
