#include "kernel/layerwise.hpp"

#include <algorithm>
#include <vector>

#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t tile_rows = 512;
constexpr std::int64_t tile_cols = 256;

template <class T>
MatrixView<const T> part_of(const BasicSamples<T>& samples, Range range, Range part) {
  return {samples.sample(range.begin) + part.begin, part.size(), range.size(), samples.features};
}

}  // namespace

template <class T>
void evaluate_layerwise(const LayerwiseKernel& kernel, const BasicSamples<T>& x, Range rows, const BasicSamples<T>& y,
                        Range cols, MatrixView<T> out) {
  const auto size = static_cast<std::size_t>(std::min(rows.size(), tile_rows) * std::min(cols.size(), tile_cols));
  std::vector<T> left(size);
  std::vector<T> right(size);
  for (std::int64_t col = 0; col < out.cols; col += tile_cols) {
    for (std::int64_t row = 0; row < out.rows; row += tile_rows) {
      const MatrixView<T> tile =
          out.block(row, col, std::min(tile_rows, out.rows - row), std::min(tile_cols, out.cols - col));
      const Range xs{rows.begin + row, rows.begin + row + tile.rows};
      const Range ys{cols.begin + col, cols.begin + col + tile.cols};
      const auto multiply = [&](Range part, T beta, MatrixView<T> to) {
        gemm(T{1}, Transpose::yes, part_of(x, xs, part), Transpose::no, part_of(y, ys, part), beta, to);
      };
      const MatrixView<T> l{left.data(), tile.rows, tile.cols, tile.rows};
      const MatrixView<T> r{right.data(), tile.rows, tile.cols, tile.rows};
      for (std::int64_t j = 0; j < tile.cols; ++j) std::fill_n(tile.column(j), tile.rows, T{0});
      for (const LayerwiseKernel::Term& term : kernel.terms) {
        if (term.right.size() == 0) {
          multiply(term.left, T{1}, tile);
          continue;
        }
        multiply(term.left, T{0}, l);
        multiply(term.right, T{0}, r);
        for (std::int64_t j = 0; j < tile.cols; ++j) {
          for (std::int64_t i = 0; i < tile.rows; ++i) tile(i, j) += l(i, j) * r(i, j);
        }
      }
    }
  }
}

template void evaluate_layerwise(const LayerwiseKernel&, const BasicSamples<double>&, Range,
                                 const BasicSamples<double>&, Range, MatrixView<double>);
template void evaluate_layerwise(const LayerwiseKernel&, const BasicSamples<float>&, Range, const BasicSamples<float>&,
                                 Range, MatrixView<float>);

}  // namespace stepwise
