#include "stepwise/theory/subspace.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "stepwise/core/error.hpp"
#include "stepwise/core/random.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

using test::world;

/// Entries f(sample, dimension), dealt out over the ranks.
template <class Entry>
BlockVector make_embedding(std::int64_t samples, std::int64_t width, Entry entry) {
  BlockVector f = make_block_vector(world(), samples, width, 1);
  for (std::int64_t s = 0; s < f.range.size(); ++s) {
    for (std::int64_t j = 0; j < width; ++j) f.local()(j, s) = entry(f.range.begin + s, j);
  }
  return f;
}

double normal(std::uint64_t seed, std::int64_t s, std::int64_t j) {
  return RandomStream(seed, Purpose::probe, 1000 * s + j).normal();
}

BlockVector gaussian(std::uint64_t seed, std::int64_t samples, std::int64_t width) {
  return make_embedding(samples, width, [seed](std::int64_t s, std::int64_t j) { return normal(seed, s, j); });
}

/// max |Q^T Q - I|.
double off_orthonormal(const BlockVector& q) {
  double worst = 0;
  for (std::int64_t i = 0; i < q.width; ++i) {
    BlockVector other = q;
    for (std::int64_t s = 0; s < q.range.size(); ++s) {
      for (std::int64_t j = 0; j < q.width; ++j) other.local()(j, s) = q.local()(i, s);
    }
    const std::vector<double> products = dots(world(), q, other);
    for (std::int64_t j = 0; j < q.width; ++j) {
      worst = std::max(worst, std::abs(products[static_cast<std::size_t>(j)] - (i == j ? 1 : 0)));
    }
  }
  return worst;
}

constexpr double tolerance = 1e-10;

SubspaceBasis basis_of(const BlockVector& f, BasisOrder order = BasisOrder::given) {
  return orthonormal_basis(f, tolerance, order, world());
}

TEST(Subspace, IsOrthonormalWhateverTheScalesAndTheCondition) {
  for (const BasisOrder order : {BasisOrder::given, BasisOrder::principal}) {
    for (const double spread : {1.0, 1e-150, 1e150}) {
      const auto f = make_embedding(37, 5, [&](std::int64_t s, std::int64_t j) {
        return spread * (normal(1, s, 0) + 1e-3 * std::pow(10, -static_cast<double>(j)) * normal(1, s, j));
      });
      const SubspaceBasis basis = basis_of(f, order);
      EXPECT_EQ(basis.q.width, 5);
      EXPECT_TRUE(basis.dropped.empty());
      EXPECT_LT(off_orthonormal(basis.q), 1e-14);
    }
  }
}

TEST(Subspace, AlignsWithItselfAndUnderRotationsOfPrefixes) {
  const auto f = gaussian(2, 41, 6);
  const auto mixed = make_embedding(41, 6, [](std::int64_t s, std::int64_t j) {
    double x = 0;  // an upper triangular mixture spans the same with every prefix
    for (std::int64_t i = 0; i <= j; ++i) x += (i == j ? 2 : 0.5 * static_cast<double>(i + 1)) * normal(2, s, i);
    return x;
  });
  const SubspaceAlignment same = compare_subspaces(basis_of(f), basis_of(mixed), world());
  for (const double a : same.both) EXPECT_NEAR(a, 1, 1e-13);
  EXPECT_NEAR(same.overall, 1, 1e-13);
  for (const double angle : same.angles) EXPECT_LT(angle, 1e-13);
}

TEST(Subspace, DropsWhatAddsNothing) {
  const auto f = make_embedding(30, 6, [](std::int64_t s, std::int64_t j) {
    const double a = normal(3, s, 0);
    const double b = normal(3, s, 1);
    return std::array{a, 3 * a, b, 0.0, 1e8 * (a - b), normal(3, s, 2)}[static_cast<std::size_t>(j)];
  });
  const SubspaceBasis basis = basis_of(f);
  EXPECT_EQ(basis.kept, (std::vector<std::int64_t>{0, 2, 5}));
  EXPECT_EQ(basis.dropped, (std::vector<std::int64_t>{1, 3, 4}));
  EXPECT_LT(off_orthonormal(basis.q), 1e-14);
  EXPECT_EQ(basis_of(make_embedding(9, 2, [](auto, auto) { return 0.0; })).q.width, 0);
  EXPECT_EQ(basis_of(make_embedding(9, 2, [](auto, auto) { return 0.0; }), BasisOrder::principal).q.width, 0);
}

TEST(Subspace, PrincipalComponentsComeLargestFirst) {
  // Columns are orthogonal: cosines of different frequencies.
  const auto wave = [](std::int64_t s, std::int64_t k) {
    return std::cos(M_PI * static_cast<double>(k * (2 * s + 1)) / 64);
  };
  const auto f = make_embedding(32, 3, [&](std::int64_t s, std::int64_t j) {
    const double small = wave(s, 1);
    const double large = 10 * wave(s, 2);
    return std::array{small + large, small - large, 0.1 * wave(s, 3)}[static_cast<std::size_t>(j)];
  });
  const auto one = make_embedding(32, 3, [&](std::int64_t s, std::int64_t j) {
    return wave(s, std::array<std::int64_t, 3>{2, 1, 3}[static_cast<std::size_t>(j)]);
  });
  const SubspaceAlignment found = compare_subspaces(basis_of(f, BasisOrder::principal), basis_of(one), world());
  for (const double a : found.both) EXPECT_NEAR(a, 1, 1e-12);
}

TEST(Subspace, AnglesAreRightHoweverSmall) {
  // Unit vectors of samples 2j, turned by an angle towards sample 2j + 1.
  const std::vector<double> angles{1e-12, 1e-5, 0.3, 1.5};
  const auto at = [](std::int64_t s, std::int64_t place) { return s == place ? 1.0 : 0.0; };
  const auto first = make_embedding(12, 4, [&](std::int64_t s, std::int64_t j) { return at(s, 2 * j); });
  const auto second = make_embedding(12, 4, [&](std::int64_t s, std::int64_t j) {
    const double angle = angles[static_cast<std::size_t>(j)];
    return std::cos(angle) * at(s, 2 * j) + std::sin(angle) * at(s, 2 * j + 1);
  });
  const SubspaceAlignment found = compare_subspaces(basis_of(first), basis_of(second), world());
  for (std::size_t j = 0; j < 4; ++j) EXPECT_NEAR(found.angles[j], angles[j], 1e-15 + 1e-13 * angles[j]);
  double mean = 0;
  for (std::size_t j = 0; j < 4; ++j) {
    mean += std::pow(std::cos(angles[j]), 2) / 4;
    EXPECT_NEAR(found.both[j] * static_cast<double>(j + 1), 4 * mean, 1e-13);
  }
  EXPECT_NEAR(found.overall, mean, 1e-14);
}

TEST(Subspace, OfUnequalDimensions) {
  const auto large = gaussian(5, 25, 7);
  const auto small = make_embedding(25, 2, [](std::int64_t s, std::int64_t j) { return normal(5, s, 6 - j); });
  const SubspaceAlignment found = compare_subspaces(basis_of(large), basis_of(small), world());
  EXPECT_EQ(found.both.size(), 2U);
  EXPECT_EQ(found.first_in_second.size(), 7U);
  EXPECT_EQ(found.second_in_first.size(), 2U);
  EXPECT_EQ(found.angles.size(), 2U);
  EXPECT_NEAR(found.overall, 1, 1e-13);
  EXPECT_NEAR(found.first_in_second.back(), 1, 1e-13);
  for (const double a : found.second_in_first) EXPECT_NEAR(a, 1, 1e-13);
  const SubspaceAlignment turned = compare_subspaces(basis_of(small), basis_of(large), world());
  EXPECT_EQ(turned.angles.size(), 2U);
  EXPECT_LT(turned.angles.back(), 1e-13);
}

TEST(Subspace, ChanceHasTheMeanAndDeviationOfRandomOnes) {
  constexpr std::int64_t n = 24;
  constexpr int draws = 200;
  for (const auto& [p, q] : {std::pair<std::int64_t, std::int64_t>{3, 3}, {2, 6}}) {
    const SubspaceBasis fixed = basis_of(gaussian(6, n, p));
    double mean = 0;
    double square = 0;
    for (int i = 0; i < draws; ++i) {
      const double a =
          compare_subspaces(fixed, basis_of(gaussian(100 + static_cast<std::uint64_t>(i), n, q)), world()).overall;
      mean += a / draws;
      square += a * a / draws;
    }
    const ChanceAlignment chance = chance_alignment(n, p, q);
    EXPECT_NEAR(mean, chance.mean, 4 * chance.deviation / std::sqrt(draws));
    EXPECT_NEAR(std::sqrt(square - mean * mean), chance.deviation, 0.3 * chance.deviation);
  }
  EXPECT_EQ(chance_alignment(10, 10, 10).mean, 1);
  EXPECT_EQ(chance_alignment(10, 10, 10).deviation, 0);
}

TEST(Subspace, NumbersThatAreNoneAreRefused) {
  const auto f = make_embedding(9, 2, [](std::int64_t s, std::int64_t j) {
    return s == 7 && j == 1 ? std::numeric_limits<double>::quiet_NaN() : normal(1, s, j);
  });
  try {
    (void)basis_of(f);
    FAIL() << "NaN was taken";
  } catch (const CollectiveError& error) {
    EXPECT_EQ(error.code(), ExitCode::input);
  }
  EXPECT_THROW((void)compare_subspaces(basis_of(gaussian(1, 9, 2)), basis_of(gaussian(1, 8, 2)), world()),
               CollectiveError);
}

}  // namespace
}  // namespace stepwise
