#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/block_product.hpp"
#include "stepwise/dist/block_vector.hpp"
#include "stepwise/dist/pblas.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

using test::every_grid;
using test::make_matrix;
using test::normal_entry;
using test::replicate;
using test::world;

constexpr double eps = std::numeric_limits<double>::epsilon();

TEST(BlockCyclic, MapsAreInversesOfEachOther) {
  for (std::int64_t n = 0; n <= 40; ++n) {
    for (std::int64_t block = 1; block <= 7; ++block) {
      for (std::int64_t procs = 1; procs <= 5; ++procs) {
        const BlockCyclic map{n, block, procs};
        std::vector<std::int64_t> next(static_cast<std::size_t>(procs));
        for (std::int64_t i = 0; i < n; ++i) {
          const std::int64_t owner = map.owner(Global{i});
          for (std::int64_t p = 0; p < procs; ++p) {
            ASSERT_EQ(map.first_at_least(i, p), next[static_cast<std::size_t>(p)]);
          }
          // Owners hold their indices in ascending order without gaps.
          ASSERT_EQ(value(map.to_local(Global{i})), next[static_cast<std::size_t>(owner)]++);
          ASSERT_EQ(value(map.to_global(map.to_local(Global{i}), owner)), i);
        }
        for (std::int64_t p = 0; p < procs; ++p) ASSERT_EQ(map.local_count(p), next[static_cast<std::size_t>(p)]);
      }
    }
  }
}

TEST(BlockCyclic, HoldsAtSizesBeyond32Bits) {
  const BlockCyclic map{1'000'000'000'000, 64, 1000};
  for (const std::int64_t i :
       {std::int64_t{0}, std::int64_t{2'147'483'647}, std::int64_t{2'147'483'648}, std::int64_t{999'999'999'999}}) {
    EXPECT_EQ(value(map.to_global(map.to_local(Global{i}), map.owner(Global{i}))), i);
  }
  std::int64_t total = 0;
  for (std::int64_t p = 0; p < 1000; ++p) total += map.local_count(p);
  EXPECT_EQ(total, map.n);
}

/// Kernel matrices of 10^6 and 10^7 samples, of which nothing is allocated.
TEST(BlockCyclic, PartsOfLargeMatricesAreCountedIn64Bits) {
  for (const std::int64_t n : {1'000'000, 10'000'000}) {
    for (const GridShape grid : {GridShape{1, 1}, GridShape{4, 3}, GridShape{100, 100}}) {
      const BlockCyclic rows{n, fitting_block(n, grid.rows, 64, 2), grid.rows};
      const BlockCyclic cols{n, 64, grid.cols};
      EXPECT_EQ(rows.block, 64);
      std::int64_t entries = 0;
      for (int p = 0; p < grid.rows; ++p) {
        for (int q = 0; q < grid.cols; ++q) entries += rows.local_count(p) * cols.local_count(q);
      }
      EXPECT_EQ(entries, n * n);
      for (const std::int64_t i : {n / 3, n - 65, n - 1}) {
        EXPECT_EQ(value(rows.to_global(rows.to_local(Global{i}), rows.owner(Global{i}))), i);
        EXPECT_EQ(rows.first_at_least(i, rows.owner(Global{i})), value(rows.to_local(Global{i})));
      }
    }
  }
}

TEST(SampleShare, DealsOutMillionsOfSamplesInWholeGroups) {
  for (const std::int64_t samples : {1'000'002, 10'000'002}) {
    std::int64_t next = 0;
    for (int rank = 0; rank < world().size(); ++rank) {
      const Range share = sample_share(world(), samples, 6, rank);
      EXPECT_EQ(share.begin, next);
      EXPECT_EQ(share.end % 6, 0);
      next = share.end;
    }
    EXPECT_EQ(next, samples);
  }
  constexpr std::int64_t many = std::int64_t{1} << 46;
  for (const std::int64_t part : {0, 1, 500'000, 999'999}) {
    const Range share = even_share(many, 1'000'000, part);
    EXPECT_EQ(share_of(many, 1'000'000, share.begin), part);
    EXPECT_EQ(share_of(many, 1'000'000, share.end - 1), part);
  }
}

TEST(BlockCyclic, FittingBlockKeepsPairsTogetherAndEveryProcessBusy) {
  for (std::int64_t n = 2; n <= 200; n += 2) {
    for (std::int64_t procs = 1; procs <= 8; ++procs) {
      const std::int64_t block = fitting_block(n, procs, 64, 2);
      EXPECT_GE(block, 2);
      EXPECT_LE(block, 64);
      EXPECT_EQ(block % 2, 0);
      if (n >= 2 * procs) {
        EXPECT_GE(ceil_div(n, block), procs) << n << " " << procs;
      }
    }
  }
}

TEST(ProcessGrid, NearlySquare) {
  EXPECT_EQ(nearly_square(1), (GridShape{1, 1}));
  EXPECT_EQ(nearly_square(6), (GridShape{3, 2}));
  EXPECT_EQ(nearly_square(7), (GridShape{7, 1}));
  EXPECT_EQ(nearly_square(16), (GridShape{4, 4}));
}

TEST(ProcessGrid, RefusesAShapeOfOtherSize) {
  EXPECT_THROW((void)ProcessGrid::create(world(), {world().size() + 1, 1}), CollectiveError);
  EXPECT_THROW((void)ProcessGrid::create(world(), {-1, -world().size()}), CollectiveError);
}

TEST(Agree, SilenceWhenAllIsWell) {
  agree(world(), std::nullopt);
  EXPECT_EQ(attempt(world(), [] { return 42; }), 42);
  EXPECT_FALSE(unwinding_together());
}

TEST(Agree, EveryRankThrowsTheFirstFailingRanksProblem) {
  for (int culprit = 0; culprit < world().size(); ++culprit) {
    try {
      attempt(world(), [&] {
        if (world().rank() >= culprit) fail(ExitCode::io, "disk {} is full", world().rank());
      });
      FAIL() << "no exception";
    } catch (const CollectiveError& error) {
      EXPECT_EQ(error.code(), ExitCode::io);
      const std::string expected = "disk " + std::to_string(culprit) + " is full";
      EXPECT_EQ(error.what(), culprit == 0 ? expected : "[rank " + std::to_string(culprit) + "] " + expected);
      EXPECT_TRUE(unwinding_together());
    }
  }
  agree(world(), std::nullopt);
  EXPECT_FALSE(unwinding_together());
}

TEST(Agree, BadInputAndTheRootsProblemsNameNoRank) {
  const auto message = [](auto work) {
    try {
      work();
    } catch (const CollectiveError& error) {
      EXPECT_TRUE(unwinding_together());
      return std::string(error.what());
    }
    return std::string();
  };
  const auto last_rank_reads = [] {
    attempt(world(), [] {
      if (world().rank() == world().size() - 1) fail(ExitCode::input, "sample 3 is not a number");
    });
  };
  EXPECT_EQ(message(last_rank_reads), "sample 3 is not a number");
  const auto root_writes = [] { attempt_on_root(world(), [] { fail(ExitCode::io, "disk is full"); }); };
  EXPECT_EQ(message(root_writes), "disk is full");
  int ran = 0;
  attempt_on_root(world(), [&] { ++ran; });
  EXPECT_EQ(ran, world().rank() == 0 ? 1 : 0);
  EXPECT_FALSE(unwinding_together());
}

TEST(Agree, TranslatesForeignExceptions) {
  const auto code_of = [](auto work) {
    try {
      attempt(world(), work);
    } catch (const CollectiveError& error) {
      return error.code();
    }
    return ExitCode::done;
  };
  EXPECT_EQ(code_of([] { throw std::bad_alloc(); }), ExitCode::memory);
  EXPECT_EQ(code_of([] { throw std::logic_error("x"); }), ExitCode::internal);
  EXPECT_EQ(code_of([] { throw 7; }), ExitCode::internal);
}

TEST(DistMatrix, RefusesWhatCannotBeAllocated) {
  const auto grid = every_grid().front();
  EXPECT_THROW(DistMatrix(grid, 4'000'000'000, 1, 64), CollectiveError);
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer ends the process where new would throw";
#endif
  try {
    const DistMatrix huge(grid, 2'000'000'000, 2'000'000'000, 64);
    FAIL() << "allocated";
  } catch (const CollectiveError& error) {
    EXPECT_EQ(error.code(), ExitCode::memory);
  }
}

TEST(DistMatrix, Reductions) {
  for (const auto& grid : every_grid()) {
    const DistMatrix a = make_matrix(
        grid, 21, 13, 4, [](auto i, auto j) { return static_cast<double>(i) - 2.0 * static_cast<double>(j); });
    EXPECT_EQ(max_abs(a), 24);
    double squares = 0;
    double norm = 0;
    for (int j = 0; j < 13; ++j) {
      double column = 0;
      for (int i = 0; i < 21; ++i) {
        squares += (i - 2.0 * j) * (i - 2.0 * j);
        column += std::abs(i - 2.0 * j);
      }
      norm = std::max(norm, column);
    }
    EXPECT_NEAR(frobenius_norm(a), std::sqrt(squares), 1e-12);
    EXPECT_EQ(one_norm(a), norm);
    const auto d = diagonal(a);
    ASSERT_EQ(d.size(), 13U);
    for (std::size_t i = 0; i < d.size(); ++i) EXPECT_EQ(d[i], -static_cast<double>(i));
    DistMatrix nan = a.clone();
    if (nan.local().rows > 0 && nan.local().cols > 0) nan.local()(0, 0) = std::numeric_limits<double>::quiet_NaN();
    EXPECT_TRUE(std::isinf(max_abs(nan)));
  }
}

TEST(Pblas, ProductsAgreeWithReplicatedOnes) {
  const std::int64_t m = 19;
  const std::int64_t n = 11;
  const std::int64_t k = 23;
  for (const auto& grid : every_grid()) {
    for (const std::int64_t block : {1, 4, 32}) {
      const DistMatrix a = make_matrix(grid, k, m, block, [](auto i, auto j) { return normal_entry(i, j); });
      const DistMatrix b = make_matrix(grid, k, n, block, [](auto i, auto j) { return normal_entry(i, j, 8); });
      DistMatrix c(grid, m, n, block);
      multiply(0.5, Transpose::yes, a, Transpose::no, b, c);
      const auto result = replicate(c);
      for (std::int64_t j = 0; j < n; ++j) {
        for (std::int64_t i = 0; i < m; ++i) {
          double expected = 0;
          for (std::int64_t l = 0; l < k; ++l) expected += 0.5 * normal_entry(l, i) * normal_entry(l, j, 8);
          EXPECT_NEAR(result[static_cast<std::size_t>(i + j * m)], expected, 100 * static_cast<double>(k) * eps);
        }
      }
    }
  }
  EXPECT_THROW(
      {
        const auto grid = every_grid().front();
        const DistMatrix a(grid, 4, 5, 2);
        DistMatrix c(grid, 4, 5, 2);
        multiply(1, Transpose::no, a, Transpose::no, a, c);
      },
      Error);
}

TEST(Pblas, CholeskyMirrorAndTriangularProduct) {
  for (const std::int64_t n : {1, 2, 7, 8, 9, 40, 130}) {
    for (const auto& grid : every_grid()) {
      const auto entry = [n](auto i, auto j) {
        return (i == j ? static_cast<double>(n) + 1 : 0.0) + 1.0 / (1.0 + static_cast<double>(i + j));
      };
      DistMatrix lower = make_matrix(grid, n, n, 4, [&](auto i, auto j) { return i >= j ? entry(i, j) : -77.0; });
      DistMatrix full = lower.clone();
      mirror_lower(full);
      const DistMatrix expected = make_matrix(grid, n, n, 4, entry);
      EXPECT_EQ(replicate(full), replicate(expected));

      ASSERT_EQ(cholesky(lower), 0);
      DistMatrix product(grid, n, n, 4);
      multiply(1, Transpose::no, lower, Transpose::yes, lower, product);
      const auto x = replicate(product);
      const auto y = replicate(expected);
      for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], 10 * static_cast<double>(n * n) * eps);

      DistMatrix b = make_matrix(grid, n, n, 4, [](auto i, auto j) { return normal_entry(i, j); });
      DistMatrix reference(grid, n, n, 4);
      multiply(2, Transpose::yes, lower, Transpose::no, b, reference);
      DistMatrix triangle(grid, n, n, 4);
      multiply_lower_transposed(2, lower, b, triangle);
      mirror_lower(triangle);
      mirror_lower(reference);
      const auto p = replicate(triangle);
      const auto q = replicate(reference);
      for (std::size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(p[i], q[i], 100 * static_cast<double>(n * n) * eps);
    }
  }
}

TEST(Pblas, CholeskyReportsAnIndefiniteMatrixOnEveryRank) {
  for (const auto& grid : every_grid()) {
    DistMatrix a = make_matrix(grid, 20, 20, 4, [](auto i, auto j) { return i != j ? 0.0 : i == 12 ? -1.0 : 1.0; });
    EXPECT_EQ(cholesky(a), 13);
  }
}

TEST(BlockVector, RegroupsRowsBySample) {
  for (const std::int64_t n : {2, 6, 14, 30, 64}) {
    for (const auto& grid : every_grid()) {
      for (const std::int64_t width : {1, 3, 9}) {
        const DistMatrix a =
            make_matrix(grid, n, width, 4, [](auto i, auto j) { return static_cast<double>(1000 * i + j); });
        for (const std::int64_t at_once : {1, 1 << 20}) {
          const BlockVector v = to_block_vector(a, 2, at_once);
          EXPECT_EQ(sum(world(), v.range.size()), n);
          EXPECT_EQ(v.range.begin % 2, 0);
          EXPECT_EQ(v.range.end % 2, 0);
          for (std::int64_t s = 0; s < v.range.size(); ++s) {
            for (std::int64_t j = 0; j < width; ++j) {
              ASSERT_EQ(v.local()(j, s), static_cast<double>(1000 * (v.range.begin + s) + j));
            }
          }
        }
      }
    }
  }
}

TEST(BlockProduct, AgreesWithTheReplicatedProduct) {
  for (const std::int64_t n : {2, 6, 10, 64}) {
    for (const auto& grid : every_grid()) {
      const DistMatrix a = make_matrix(grid, n, n, 4, [](auto i, auto j) { return normal_entry(i, j); });
      const BlockProduct product(a, 2);
      const auto full = replicate(a);
      for (const std::int64_t width : {1, 3}) {
        const auto number = [](std::int64_t j, std::int64_t s) { return normal_entry(j, s, 11); };
        BlockVector v = make_block_vector(world(), n, width, 2);
        BlockVector y = make_block_vector(world(), n, width, 2);
        for (std::int64_t s = 0; s < v.range.size(); ++s) {
          for (std::int64_t j = 0; j < width; ++j) v.local()(j, s) = number(j, v.range.begin + s);
        }
        product(v.local(), y.local());
        for (std::int64_t s = 0; s < y.range.size(); ++s) {
          for (std::int64_t j = 0; j < width; ++j) {
            double expected = 0;
            for (std::int64_t k = 0; k < n; ++k) {
              expected += full[static_cast<std::size_t>(y.range.begin + s + k * n)] * number(j, k);
            }
            EXPECT_NEAR(y.local()(j, s), expected, 10 * static_cast<double>(n) * eps);
          }
        }
      }
    }
  }
}

TEST(Communicator, Reductions) {
  const auto p = static_cast<double>(world().size());
  EXPECT_EQ(sum(world(), 1.0 + world().rank()), p * (p + 1) / 2);
  EXPECT_EQ(max(world(), std::int64_t{world().rank()}), world().size() - 1);
  EXPECT_EQ(min(world(), std::int64_t{world().rank()}), 0);
  EXPECT_EQ(broadcast(world(), world().rank() == 0 ? std::string("hello") : std::string()), "hello");
  EXPECT_GE(ranks_on_node(world()), 1);
}

}  // namespace
}  // namespace stepwise
