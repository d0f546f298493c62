#include "stepwise/solve/eigensolver.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "stepwise/dist/pblas.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

using test::every_grid;
using test::make_matrix;
using test::world;

constexpr double eps = std::numeric_limits<double>::epsilon();

SymmetricOperator operator_of(const DistMatrix& a) {
  return {[&a] { return a.clone(); },
          [&a](const DistMatrix& v) {
            DistMatrix product(v.shared_grid(), v.rows(), v.cols(), v.block());
            multiply(1, Transpose::no, a, Transpose::no, v, product);
            return product;
          }};
}

struct Case {
  std::string name;
  std::int64_t n;
  std::function<double(std::int64_t, std::int64_t)> entry;
  std::vector<double> spectrum;  // any order; empty: unknown
};

std::vector<double> constant(std::int64_t n, double x) {
  return std::vector<double>(static_cast<std::size_t>(n), x);
}

/// Few distinct values, huge multiplicities, closed forms.
std::vector<Case> cases(std::int64_t n) {
  std::vector<Case> list;
  const auto dn = static_cast<double>(n);
  list.push_back({"identity", n, [](auto i, auto j) { return i == j ? 1.0 : 0.0; }, constant(n, 1)});
  list.push_back({"zero", n, [](auto, auto) { return 0.0; }, constant(n, 0)});
  std::vector<double> ramp(static_cast<std::size_t>(n));
  std::iota(ramp.begin(), ramp.end(), 1.0);
  list.push_back({"diag(1..n)", n, [](auto i, auto j) { return i == j ? static_cast<double>(i + 1) : 0.0; }, ramp});
  auto ones = constant(n, 0);
  ones[0] = dn;
  list.push_back({"all ones", n, [](auto, auto) { return 1.0; }, ones});
  list.push_back({"block constant", n, [](auto i, auto j) { return i % 3 == j % 3 ? 1.0 : 0.25; }, {}});
  list.push_back(
      {"rank two",
       n,
       [](auto i, auto j) { return 1.0 + std::sin(static_cast<double>(i)) * std::sin(static_cast<double>(j)); },
       {}});
  std::vector<double> toeplitz;
  for (std::int64_t k = 1; k <= n; ++k) {
    toeplitz.push_back(2 - 2 * std::cos(static_cast<double>(k) * std::numbers::pi / (dn + 1)));
  }
  for (const double factor : {1.0, 1e150, 1e-150}) {
    auto scaled = toeplitz;
    for (double& x : scaled) x *= factor;
    list.push_back({"toeplitz times " + std::to_string(std::log10(factor)), n,
                    [factor](auto i, auto j) {
                      const auto gap = std::abs(i - j);
                      return factor * (gap == 0 ? 2.0 : gap == 1 ? -1.0 : 0.0);
                    },
                    scaled});
  }
  return list;
}

class EverySize : public testing::TestWithParam<std::int64_t> {};

TEST_P(EverySize, ClosedFormSpectraOnEveryGrid) {
  const std::int64_t n = GetParam();
  for (const auto& grid : every_grid()) {
    const GridShape shape = grid->shape();
    const std::int64_t block = fitting_block(n, std::max(shape.rows, shape.cols), 8, 2);
    for (const auto& c : cases(n)) {
      const DistMatrix a = make_matrix(grid, n, n, block, c.entry);
      for (const std::int64_t k : {std::int64_t{1}, std::max<std::int64_t>(1, n / 3), n}) {
        SCOPED_TRACE(c.name + " n=" + std::to_string(n) + " k=" + std::to_string(k) + " grid " +
                     std::to_string(shape.rows) + "x" + std::to_string(shape.cols));
        const Eigenpairs pairs = largest_eigenpairs(operator_of(a), k);
        ASSERT_EQ(pairs.values.size(), static_cast<std::size_t>(n));
        ASSERT_EQ(pairs.vectors.cols(), k);
        EXPECT_TRUE(std::is_sorted(pairs.values.rbegin(), pairs.values.rend()));
        EXPECT_LE(pairs.report.residual, 1);
        EXPECT_LE(pairs.report.orthogonality, 1);
        if (c.spectrum.empty()) continue;
        auto expected = c.spectrum;
        std::sort(expected.rbegin(), expected.rend());
        const double largest = std::max(std::abs(expected.front()), std::abs(expected.back()));
        const double tolerance = 2 * static_cast<double>(n) * eps * largest;
        for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(pairs.values[i], expected[i], tolerance) << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, EverySize, testing::Values(1, 2, 3, 7, 8, 9, 37, 64));

TEST(Eigensolver, EverySolverGivesTheSameSpectrum) {
  const std::int64_t n = 150;
  for (const auto& grid : every_grid()) {
    const DistMatrix a =
        make_matrix(grid, n, n, 16, [](auto i, auto j) { return test::normal_entry(std::min(i, j), std::max(i, j)); });
    std::vector<double> first;
    for (const auto solver : {Eigensolver::elpa_two_stage, Eigensolver::elpa_one_stage, Eigensolver::scalapack}) {
      for (const std::int64_t vectors : {20, 0}) {  // none: eigenvalues alone
        const Eigenpairs pairs = largest_eigenpairs(operator_of(a), vectors, std::vector{solver});
        EXPECT_EQ(pairs.vectors.cols(), vectors);
        EXPECT_EQ(pairs.report.solver, solver);
        EXPECT_TRUE(pairs.report.rejected.empty());
        if (first.empty()) first = pairs.values;
        for (std::size_t i = 0; i < first.size(); ++i) {
          EXPECT_NEAR(pairs.values[i], first[i], static_cast<double>(n) * eps * first.front()) << name(solver);
        }
      }
    }
  }
}

TEST(Eigensolver, ManyVectorsAreCheckedByRandomMixtures) {
  const std::int64_t n = 300;
  const auto grid = every_grid().front();
  const DistMatrix a =
      make_matrix(grid, n, n, 32, [](auto i, auto j) { return test::normal_entry(std::min(i, j), std::max(i, j)); });
  const Eigenpairs pairs = largest_eigenpairs(operator_of(a), n);
  EXPECT_GT(pairs.report.residual, 0);
  EXPECT_LE(pairs.report.residual, 1);
  EXPECT_LE(pairs.report.orthogonality, 1);
}

/// The check must catch a result that belongs to another matrix, and go down the ladder.
TEST(Eigensolver, WrongResultsAreRejected) {
  const std::int64_t n = 160;
  const auto grid = every_grid().front();
  for (const std::int64_t k : {std::int64_t{5}, n}) {
    const DistMatrix a =
        make_matrix(grid, n, n, 16, [](auto i, auto j) { return i == j ? 1.0 + static_cast<double>(i) : 0.1; });
    SymmetricOperator wrong = operator_of(a);
    int calls = 0;
    const auto honest = wrong.apply;
    wrong.apply = [&](const DistMatrix& v) {
      DistMatrix product = honest(v);
      if (calls++ == 0) scale(product, 1 + 1e-9);
      return product;
    };
    const Eigenpairs pairs =
        largest_eigenpairs(wrong, k, std::vector{Eigensolver::elpa_one_stage, Eigensolver::scalapack});
    EXPECT_EQ(pairs.report.solver, Eigensolver::scalapack);
    ASSERT_EQ(pairs.report.rejected.size(), 1U);
    EXPECT_NE(pairs.report.rejected[0].find("ELPA one-stage"), std::string::npos);

    wrong.apply = [&](const DistMatrix& v) {
      DistMatrix product = honest(v);
      scale(product, 1 + 1e-9);
      return product;
    };
    try {
      (void)largest_eigenpairs(wrong, k);
      FAIL() << "accepted";
    } catch (const CollectiveError& error) {
      EXPECT_EQ(error.code(), ExitCode::numerical);
    }
  }
}

TEST(Eigensolver, OneNanOnOneRankEndsOnAll) {
  const auto grid = every_grid().front();
  const DistMatrix a = make_matrix(grid, 40, 40, 4, [](auto i, auto j) {
    return i == 17 && j == 23 ? std::numeric_limits<double>::quiet_NaN() : (i == j ? 1.0 : 0.0);
  });
  EXPECT_THROW((void)largest_eigenpairs(operator_of(a), 3), CollectiveError);
}

TEST(Eigensolver, LadderIsAPureFunctionOfTheLayout) {
  EXPECT_EQ(solver_ladder(400, 10, 32, {2, 2}).front(), Eigensolver::elpa_two_stage);
  EXPECT_EQ(solver_ladder(400, 400, 32, {2, 2}).front(), Eigensolver::elpa_one_stage);
  EXPECT_EQ(solver_ladder(64, 10, 32, {1, 3}), std::vector{Eigensolver::scalapack});
  EXPECT_EQ(solver_ladder(96, 10, 32, {1, 3}).front(), Eigensolver::elpa_two_stage);
}

}  // namespace
}  // namespace stepwise
