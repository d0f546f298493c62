#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "stepwise/core/error.hpp"
#include "stepwise/kernel/evaluate.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t features = 5;
const Kernel ntk = fully_connected(NetworkKernel::ntk, {{2, .1}, {2, .1}, {2, .1}});

Samples random_samples(std::int64_t count, std::int64_t m, std::uint64_t seed) {
  std::vector<double> data;
  for (std::int64_t i = 0; i < count * m; ++i) data.push_back(test::normal_entry(i, 0, seed));
  return make_samples(m, data);
}

/// All of x with all of y, in tiles that begin in the middle, into a matrix with room between its columns.
template <class T>
std::vector<T> matrix(const Kernel& kernel, const BasicSamples<T>& x, const BasicSamples<T>& y) {
  const std::int64_t stride = x.count + 3;
  std::vector<T> wide(static_cast<std::size_t>(stride * y.count), T{-7});
  const MatrixView<T> out{wide.data(), x.count, y.count, stride};
  const std::int64_t i = x.count / 3;
  const std::int64_t j = y.count / 2;
  for (const Range rows : {Range{0, i}, Range{i, x.count}}) {
    for (const Range cols : {Range{0, j}, Range{j, y.count}}) {
      evaluate(kernel, x, rows, y, cols, out.block(rows.begin, cols.begin, rows.size(), cols.size()));
    }
  }
  std::vector<T> result;
  for (std::int64_t c = 0; c < y.count; ++c) {
    result.insert(result.end(), out.column(c), out.column(c) + x.count);
    for (std::int64_t r = x.count; r < stride; ++r) EXPECT_EQ(wide[static_cast<std::size_t>(c * stride + r)], T{-7});
  }
  return result;
}

TEST(Composite, SumsOfProducts) {
  const Samples x = random_samples(13, features, 1);
  const Samples y = random_samples(9, features, 2);
  const KernelSum sum{{{.7, {boxed(ntk)}}, {.3, {boxed(RbfKernel{2}), boxed(LinearKernel{})}}, {.25, {}}}};
  const auto found = matrix(Kernel(sum), x, y);
  const auto a = matrix(ntk, x, y);
  const auto b = matrix(Kernel(RbfKernel{2}), x, y);
  const auto c = matrix(Kernel(LinearKernel{}), x, y);
  const auto single = matrix(Kernel(sum), to_single(x), to_single(y));
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double expected = .7 * a[i] + .3 * b[i] * c[i] + .25;
    EXPECT_NEAR(found[i], expected, 1e-14 * (1 + std::abs(expected)));
    EXPECT_NEAR(single[i], expected, 1e-5 * (1 + std::abs(expected)));
  }
}

TEST(Composite, NormalisedHasUnitDiagonalAndZeroForZeroSamples) {
  Samples x = random_samples(11, features, 3);
  for (std::int64_t k = 0; k < features; ++k) x.data[static_cast<std::size_t>(4 * features + k)] = 0;
  x.squared_norms[4] = 0;
  for (const Kernel& kernel : {Kernel(LinearKernel{}), Kernel(PolynomialKernel{2, 0}), ntk}) {
    const auto plain = matrix(kernel, x, x);
    const auto found = matrix(Kernel(NormalisedKernel{boxed(kernel)}), x, x);
    const auto single = matrix(Kernel(NormalisedKernel{boxed(kernel)}), to_single(x), to_single(x));
    for (std::size_t i = 0; i < 11; ++i) {
      for (std::size_t j = 0; j < 11; ++j) {
        const double squares = plain[12 * i] * plain[12 * j];
        const double expected = squares > 0 ? plain[i + 11 * j] / std::sqrt(squares) : 0;
        EXPECT_NEAR(found[i + 11 * j], expected, 1e-15);
        EXPECT_NEAR(single[i + 11 * j], expected, 1e-5);
      }
    }
  }
}

TEST(Composite, ModalitiesHaveTheirOwnKernelsAndZeroBetween) {
  constexpr std::int64_t few = 3;
  const Samples a = random_samples(7, features, 4);
  const Samples b = random_samples(7, few, 5);
  std::vector<double> data;
  for (std::int64_t i = 0; i < 7; ++i) {  // padded with what must not matter
    data.push_back(0);
    data.insert(data.end(), a.sample(i), a.sample(i) + features);
    data.push_back(1);
    data.insert(data.end(), b.sample(i), b.sample(i) + few);
    data.insert(data.end(), features - few, 1e3);
  }
  const Samples both = make_samples(1 + features, data);
  const Kernel kernel = MultimodalKernel{boxed(ntk), boxed(NormalisedKernel{boxed(RbfKernel{2})}), features, few};
  const auto found = matrix(kernel, both, both);
  const auto single = matrix(kernel, to_single(both), to_single(both));
  const auto first = matrix(ntk, a, a);
  const auto second = matrix(Kernel(RbfKernel{2}), b, b);
  for (std::size_t i = 0; i < 14; ++i) {
    for (std::size_t j = 0; j < 14; ++j) {
      const double expected = (i + j) % 2 != 0 ? 0
                              : i % 2 == 0     ? first[i / 2 + 7 * (j / 2)]
                                               : second[i / 2 + 7 * (j / 2)];
      EXPECT_NEAR(found[i + 14 * j], expected, 1e-14 * (1 + std::abs(expected)));
      EXPECT_NEAR(single[i + 14 * j], expected, 1e-5 * (1 + std::abs(expected)));
    }
  }
}

TEST(Composite, DescriptionsNameTheParts) {
  using testing::HasSubstr;
  const std::string sum = describe(KernelSum{{{.5, {boxed(LinearKernel{}), boxed(RbfKernel{3})}}, {2, {boxed(ntk)}}}});
  EXPECT_THAT(sum, HasSubstr("0.5 * [linear: x.y] * [rbf: exp(-|x-y|^2 / (2 l^2)), l = 3] + 2 * [ntk: "));
  EXPECT_THAT(describe(NormalisedKernel{boxed(LinearKernel{})}), HasSubstr("sqrt(k(x, x) k(y, y)) of [linear: x.y]"));
  EXPECT_THAT(describe(MultimodalKernel{boxed(LinearKernel{}), boxed(RbfKernel{2}), 1, 1}),
              HasSubstr("view_a [linear: x.y], view_b [rbf"));
}

TEST(Composite, PartsAreValidated) {
  EXPECT_THROW(validate(KernelSum{{{-1, {boxed(LinearKernel{})}}}}), Error);
  EXPECT_THROW(validate(KernelSum{{{1, {boxed(RbfKernel{-1})}}}}), Error);
  EXPECT_THROW(validate(NormalisedKernel{boxed(RbfKernel{0})}), Error);
  EXPECT_THROW(validate(MultimodalKernel{boxed(LinearKernel{}), boxed(RbfKernel{0}), 1, 1}), Error);
  validate(KernelSum{{{0, {boxed(LinearKernel{})}}}});
}

}  // namespace
}  // namespace stepwise
