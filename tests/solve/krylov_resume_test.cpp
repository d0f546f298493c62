#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "stepwise/core/stop.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/block_product.hpp"
#include "stepwise/solve/krylov.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

using test::every_grid;
using test::make_matrix;
using test::normal_entry;
using test::world;

/// A state with the basis of this rank's samples.
struct Kept {
  KrylovState state;
  std::vector<double> q;
  std::vector<double> kq;
};

std::vector<double> numbers_of(MatrixView<const double> v) {
  std::vector<double> numbers;
  for (std::int64_t s = 0; s < v.cols; ++s) numbers.insert(numbers.end(), v.column(s), v.column(s) + v.rows);
  return numbers;
}

void put(const std::vector<double>& numbers, MatrixView<double> v) {
  auto from = numbers.begin();
  for (std::int64_t s = 0; s < v.cols; ++s) {
    for (std::int64_t j = 0; j < v.rows; ++j) v(j, s) = *from++;
  }
}

KrylovResume resume(const Kept& kept) {
  return {kept.state, [&kept](MatrixView<double> q, MatrixView<double> kq) {
            put(kept.q, q);
            put(kept.kq, kq);
          }};
}

class KrylovResumeTest : public ::testing::TestWithParam<bool> {
 protected:
  static constexpr std::int64_t n = 160;

  KrylovResumeTest()
      : k_(make_matrix(every_grid().front(), n, n, 4,
                       [](auto i, auto j) {
                         double square = 0;
                         for (std::int64_t a = 0; a < 6; ++a) {
                           const auto x = [a](auto s) {
                             return normal_entry(s / 2, a, 3) + 0.2 * normal_entry(s, a, 4);
                           };
                           square += std::pow(x(i) - x(j), 2);
                         }
                         return std::exp(-square / 4);
                       })),
        product_(k_, 2) {}

  /// With rough products these are rounded to single precision.
  KernelOperator t() {
    KernelOperator t{n, 2, [this](auto v, auto kv) { multiply(v, kv); },
                     [](auto v) {
                       for (std::int64_t s = 0; s < v.cols; s += 2) {
                         for (std::int64_t j = 0; j < v.rows; ++j) std::swap(v(j, s), v(j, s + 1));
                       }
                     }};
    if (GetParam()) {
      t.rough_kernel = [this](auto v, auto kv) {
        multiply(v, kv);
        for (std::int64_t s = 0; s < kv.cols; ++s) {
          for (std::int64_t j = 0; j < kv.rows; ++j) kv(j, s) = static_cast<double>(static_cast<float>(kv(j, s)));
        }
      };
    }
    return t;
  }

  void multiply(MatrixView<const double> v, MatrixView<double> kv) {
    if (++passes_ == stop_in_pass_) request_stop();
    stop_together(world());
    product_(v, kv);
  }

  KrylovOptions options() {
    KrylovOptions o;
    o.modes = 12;
    o.block = 4;
    return o;
  }

  static void expect_same(const KrylovPairs& a, const KrylovPairs& b) {
    EXPECT_EQ(a.values, b.values);
    EXPECT_EQ(a.residuals, b.residuals);
    EXPECT_EQ(a.vectors.data, b.vectors.data);
    EXPECT_EQ(a.kernel_vectors.data, b.kernel_vectors.data);
    EXPECT_EQ(a.products, b.products);
    EXPECT_EQ(a.rounds, b.rounds);
    EXPECT_EQ(a.rough_rounds, b.rough_rounds);
    EXPECT_EQ(a.restarts, b.restarts);
    EXPECT_EQ(a.too_rough, b.too_rough);
  }

  DistMatrix k_;
  BlockProduct product_;
  int passes_ = 0;
  int stop_in_pass_ = -1;
};

TEST_P(KrylovResumeTest, EveryStateLeadsToTheSameEndBitByBit) {
  std::vector<Kept> states;
  KrylovOptions watched = options();
  watched.safe_point = [&](const KrylovState& state, MatrixView<const double> q, MatrixView<const double> kq) {
    states.push_back({state, numbers_of(q), numbers_of(kq)});
  };
  const KrylovPairs whole = krylov_pairs(world(), t(), options());
  expect_same(krylov_pairs(world(), t(), watched), whole);
  ASSERT_GT(states.size(), 10U);
  for (const Kept& kept : states) {
    const KrylovResume from = resume(kept);
    KrylovOptions later = options();
    later.resume = &from;
    expect_same(krylov_pairs(world(), t(), later), whole);
  }
}

TEST_P(KrylovResumeTest, APassThatIsGivenUpLosesNothingButItself) {
  const KrylovPairs whole = krylov_pairs(world(), t(), options());
  const int all = passes_;
  int resumed = 0;
  for (int stop = 1; stop <= all; ++stop) {
    Kept kept;
    KrylovOptions first = options();
    first.safe_point = [&](const KrylovState& state, MatrixView<const double> q, MatrixView<const double> kq) {
      if (stop_requested()) kept = {state, numbers_of(q), numbers_of(kq)};
    };
    passes_ = 0;
    stop_in_pass_ = stop;
    try {
      (void)krylov_pairs(world(), t(), first);
      ADD_FAILURE() << "not stopped in pass " << stop;
    } catch (const CollectiveError& error) {
      EXPECT_EQ(error.code(), ExitCode::stopped);
    }
    forget_stop_request();
    stop_in_pass_ = -1;
    if (kept.state.vectors == 0) continue;  // before there was a basis, or with one that was just being replaced
    ++resumed;
    const KrylovResume from = resume(kept);
    KrylovOptions later = options();
    later.resume = &from;
    expect_same(krylov_pairs(world(), t(), later), whole);
  }
  EXPECT_GE(resumed, all - 4);
}

TEST_P(KrylovResumeTest, AStateOfAnotherShapeIsRefused) {
  Kept kept;
  KrylovOptions watched = options();
  watched.safe_point = [&](const KrylovState& state, MatrixView<const double> q, MatrixView<const double> kq) {
    kept = {state, numbers_of(q), numbers_of(kq)};
  };
  (void)krylov_pairs(world(), t(), watched);
  kept.state.numbers.pop_back();
  const KrylovResume from = resume(kept);
  KrylovOptions later = options();
  later.resume = &from;
  EXPECT_THROW((void)krylov_pairs(world(), t(), later), CollectiveError);
}

INSTANTIATE_TEST_SUITE_P(Products, KrylovResumeTest, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Rough" : "Exact"; });

}  // namespace
}  // namespace stepwise
