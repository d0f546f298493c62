#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "stepwise/core/error.hpp"
#include "stepwise/kernel/evaluate.hpp"

namespace stepwise {
namespace {

/// Entry (i, j) of a matrix that is not symmetric.
double number(std::int64_t i, std::int64_t j) {
  return 100.0 * static_cast<double>(i) + static_cast<double>(j);
}

std::shared_ptr<const StoredMatrix> matrix(std::int64_t rows, std::int64_t cols, double sign) {
  return std::make_shared<const StoredMatrix>(
      StoredMatrix{"k", rows, cols, false, false, [=](Range r, Range c, MatrixView<double> out) {
                     if (r.end > rows || c.end > cols) fail(ExitCode::internal, "read beyond the matrix");
                     for (std::int64_t j = 0; j < c.size(); ++j) {
                       for (std::int64_t i = 0; i < r.size(); ++i) {
                         out(i, j) = sign * number(r.begin + i, c.begin + j);
                       }
                     }
                   }});
}

Samples of(const std::vector<double>& numbers) {
  return make_samples(1, numbers);
}

TEST(Precomputed, UpperTriangleInAnyOrder) {
  const Kernel kernel = PrecomputedKernel{matrix(12, 12, 1), nullptr};
  const std::vector<double> rows{0, 6, 1, 7, 2, 8, 11, 3, 3};
  const std::vector<double> cols{5, 4, 0, 6, 7, 8, 1, 2};
  std::vector<double> out(rows.size() * cols.size());
  const auto count = static_cast<std::int64_t>(rows.size());
  const auto width = static_cast<std::int64_t>(cols.size());
  const MatrixView<double> view{out.data(), count, width, count};
  evaluate(kernel, of(rows), {0, count}, of(cols), {0, width}, view);
  const SingleSamples single_rows = to_single(of(rows));
  const SingleSamples single_cols = to_single(of(cols));
  std::vector<float> rough(out.size());
  evaluate(kernel, single_rows, {0, count}, single_cols, {0, width}, {rough.data(), count, width, count});
  for (std::int64_t j = 0; j < width; ++j) {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto a = static_cast<std::int64_t>(rows[static_cast<std::size_t>(i)]);
      const auto b = static_cast<std::int64_t>(cols[static_cast<std::size_t>(j)]);
      EXPECT_EQ(view(i, j), number(std::min(a, b), std::max(a, b))) << a << ' ' << b;
      EXPECT_EQ(rough[static_cast<std::size_t>(i + j * count)], static_cast<float>(view(i, j)));
    }
  }
}

TEST(Precomputed, TestSamples) {
  const Kernel kernel = PrecomputedKernel{matrix(12, 12, 1), matrix(5, 12, -1)};
  const std::vector<double> train{10, 11, 0};
  const std::vector<double> tests{12, 16, 13};  // rows 0, 4, 1 of the test kernel
  std::vector<double> out(9);
  evaluate(kernel, of(train), {0, 3}, of(tests), {0, 3}, {out.data(), 3, 3, 3});
  EXPECT_EQ(out, (std::vector<double>{-10, -11, 0, -410, -411, -400, -110, -111, -100}));
  evaluate(kernel, of(tests), {0, 3}, of(train), {1, 3}, {out.data(), 3, 2, 3});
  EXPECT_EQ(out[0], -11);
  EXPECT_EQ(out[4], -400);
  EXPECT_THROW(evaluate(kernel, of(tests), {0, 1}, of(tests), {0, 1}, {out.data(), 1, 1, 1}), Error);
}

TEST(Precomputed, Described) {
  EXPECT_NE(describe(PrecomputedKernel{matrix(12, 12, 1), nullptr}).find("k, 12 x 12, double"), std::string::npos);
}

}  // namespace
}  // namespace stepwise
