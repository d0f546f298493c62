#include "../../src/kernel/tile_product.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "stepwise/core/cache_lines.hpp"
#include "support/grids.hpp"

namespace stepwise::test {
namespace {

TEST(TileProduct, EveryShapeIsTheSumItStandsFor) {
  constexpr std::int64_t stride = 64;
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < stride * 40; ++i) numbers.push_back(normal_entry(i, 1));
  for (const std::int64_t rows : {1, 7, 8, 15, 16, 24, 33, 48}) {
    for (const std::int64_t cols : {1, 7, 8, 9, 16, 27}) {
      for (const std::int64_t width : {1, 2, 3, 4, 5, 11, 12, 13, 26}) {
        const MatrixView<const double> k{numbers.data(), rows, cols, whole_lines<double>(rows)};
        const MatrixView<const double> v{numbers.data() + 1, cols, width, stride};
        const MatrixView<const double> w{numbers.data() + 2, rows, width, stride};
        std::vector<double> y_numbers(static_cast<std::size_t>(stride * width), 1.0);
        std::vector<double> back_numbers = y_numbers;
        std::vector<double> once_numbers = y_numbers;
        const MatrixView<double> y{y_numbers.data(), rows, width, stride};
        const MatrixView<double> once{once_numbers.data(), rows, width, stride};
        const MatrixView<double> back{back_numbers.data(), cols, width, stride};
        multiply_tile_twice(k, v, y, w, back);
        multiply_tile(k, v, once);
        for (std::int64_t j = 0; j < width; ++j) {
          for (std::int64_t i = 0; i < stride; ++i) {
            double expected = 1;
            for (std::int64_t c = 0; c < cols && i < rows; ++c) expected += k(i, c) * v(c, j);
            ASSERT_NEAR(y(i, j), expected, 1e-12) << rows << " x " << cols << ", " << width;
            ASSERT_NEAR(once(i, j), expected, 1e-12) << rows << " x " << cols << ", " << width;
            expected = 1;
            for (std::int64_t r = 0; r < rows && i < cols; ++r) expected += k(r, i) * w(r, j);
            ASSERT_NEAR(back(i, j), expected, 1e-12) << rows << " x " << cols << ", " << width;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace stepwise::test
