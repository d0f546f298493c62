#include "kernel/tile_product.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "stepwise/core/index.hpp"
#include "stepwise/dist/gemm.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#define STEPWISE_AVX512 __attribute__((target("avx512f")))
#define STEPWISE_AVX512_BODY __attribute__((target("avx512f"), always_inline)) inline
#endif

namespace stepwise {
namespace {

#ifdef STEPWISE_AVX512

using Vector = double __attribute__((vector_size(64), aligned(8), may_alias));

constexpr std::int64_t lanes = 8;
constexpr std::int64_t most_vectors = 12;  // 2 x 12 sums, 2 pieces of K and one number of v: 27 of 32 registers
constexpr std::int64_t most_dots = 3;      // 3 x 8 sums, 3 pieces of w and one of K

/// Eight numbers of column j, from row i on.
STEPWISE_AVX512_BODY const Vector& piece(MatrixView<const double> a, std::int64_t i, std::int64_t j) {
  return *reinterpret_cast<const Vector*>(a.data + i + j * a.stride);
}
STEPWISE_AVX512_BODY Vector& piece(MatrixView<double> a, std::int64_t i, std::int64_t j) {
  return *reinterpret_cast<Vector*>(a.data + i + j * a.stride);
}

/// 16 rows of y += K v, W vectors. Meanwhile fetches a cache line from `ahead` on for every column.
template <int W>
STEPWISE_AVX512 void sixteen_rows(MatrixView<const double> k, MatrixView<const double> v, MatrixView<double> y,
                                  const double* ahead) {
  Vector upper[std::size_t{W}];
  Vector lower[std::size_t{W}];
#pragma GCC unroll 16
  for (int j = 0; j < W; ++j) {
    upper[j] = piece(y, 0, j);
    lower[j] = piece(y, lanes, j);
  }
  for (std::int64_t c = 0; c < k.cols; ++c) {
    const Vector k0 = piece(k, 0, c);
    const Vector k1 = piece(k, lanes, c);
    __builtin_prefetch(ahead + lanes * c, 0, 2);
#pragma GCC unroll 16
    for (int j = 0; j < W; ++j) {
      const double factor = v(c, j);
      upper[j] += k0 * factor;
      lower[j] += k1 * factor;
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < W; ++j) {
    piece(y, 0, j) = upper[j];
    piece(y, lanes, j) = lower[j];
  }
}

/// The sums of neighbours, of a and b by turns: a0 + a1, b0 + b1, a2 + a3, b2 + b3, ...
STEPWISE_AVX512_BODY Vector add_neighbours(const Vector& a, const Vector& b) {
  return __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14) +
         __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
}

/// The sums of neighbouring pairs, first those of a, then those of b.
STEPWISE_AVX512_BODY Vector add_pairs(const Vector& a, const Vector& b) {
  return __builtin_shufflevector(a, b, 0, 1, 4, 5, 8, 9, 12, 13) +
         __builtin_shufflevector(a, b, 2, 3, 6, 7, 10, 11, 14, 15);
}

/// The sum of the numbers in each of eight vectors.
STEPWISE_AVX512_BODY Vector totals(const Vector (&a)[lanes]) {
  return add_pairs(add_pairs(add_neighbours(a[0], a[1]), add_neighbours(a[2], a[3])),
                   add_pairs(add_neighbours(a[4], a[5]), add_neighbours(a[6], a[7])));
}

/// 8 columns of K: back += K^T w, W vectors. Meanwhile fetches a cache line from `ahead` on for every eight rows.
template <int W>
STEPWISE_AVX512 void eight_columns(MatrixView<const double> k, MatrixView<const double> w, MatrixView<double> back,
                                   const double* ahead) {
  Vector sums[std::size_t{W}][lanes] = {};
  for (std::int64_t r = 0; r < k.rows; r += lanes) {
    __builtin_prefetch(ahead + r, 0, 2);
#pragma GCC unroll 8
    for (int c = 0; c < lanes; ++c) {
      Vector entries = piece(k, r, c);
      asm("" : "+v"(entries));  // in a register: GCC would read it from memory for each of the vectors
#pragma GCC unroll 4
      for (int j = 0; j < W; ++j) sums[j][c] += entries * piece(w, r, j);
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < W; ++j) piece(back, 0, j) += totals(sums[j]);
}

using Micro = void (*)(MatrixView<const double>, MatrixView<const double>, MatrixView<double>, const double*);

template <int... W>
constexpr std::array<Micro, sizeof...(W)> rows_table(std::integer_sequence<int, W...>) {
  return {&sixteen_rows<W + 1>...};
}
template <int... W>
constexpr std::array<Micro, sizeof...(W)> columns_table(std::integer_sequence<int, W...>) {
  return {&eight_columns<W + 1>...};
}
constexpr auto by_rows = rows_table(std::make_integer_sequence<int, most_vectors>());
constexpr auto by_columns = columns_table(std::make_integer_sequence<int, most_dots>());

/// Calls work(first, count) for nearly equal groups of at most `most` of `width` vectors.
template <class Work>
void in_groups(std::int64_t width, std::int64_t most, const Work& work) {
  const std::int64_t groups = ceil_div(width, most);
  for (std::int64_t g = 0; g < groups; ++g) {
    const Range part = even_share(width, groups, g);
    work(part.begin, part.size());
  }
}

bool has_avx512() {
  static const bool has = __builtin_cpu_supports("avx512f") != 0;
  return has;
}

// What lies behind the tile, in a strip the next tile, is fetched meanwhile, line by line from `ahead` on: memory is
// slower than these loops.

/// y += K v for the rows of K in full sixteens.
void multiply_rows(MatrixView<const double> k, MatrixView<const double> v, MatrixView<double> y, const double* ahead) {
  in_groups(v.cols, most_vectors, [&](std::int64_t first, std::int64_t count) {
    const Micro micro = by_rows[static_cast<std::size_t>(count - 1)];
    for (std::int64_t r = 0; r + 2 * lanes <= k.rows; r += 2 * lanes, ahead += lanes * k.cols) {
      micro(k.block(r, 0, 2 * lanes, k.cols), v.block(0, first, v.rows, count), y.block(r, first, 2 * lanes, count),
            ahead);
    }
  });
}

/// back += K^T w for the columns of K in full eights, its rows being a multiple of eight. Returns what is ahead now.
const double* multiply_columns(MatrixView<const double> k, MatrixView<const double> w, MatrixView<double> back,
                               const double* ahead) {
  for (std::int64_t c = 0; c + lanes <= k.cols; c += lanes) {
    in_groups(w.cols, most_dots, [&](std::int64_t first, std::int64_t count) {
      by_columns[static_cast<std::size_t>(count - 1)](k.block(0, c, k.rows, lanes), w.block(0, first, w.rows, count),
                                                      back.block(c, first, lanes, count), ahead);
      ahead += k.rows;
    });
  }
  return ahead;
}

/// y += K v.
void multiply_all_rows(MatrixView<const double> k, MatrixView<const double> v, MatrixView<double> y,
                       const double* ahead) {
  const std::int64_t rows = k.rows - k.rows % (2 * lanes);
  const std::int64_t rest = k.rows - rows;
  multiply_rows(k, v, y, ahead);
  if (rest > 0) {
    gemm(1, Transpose::no, k.block(rows, 0, rest, k.cols), Transpose::no, v, 1, y.block(rows, 0, rest, y.cols));
  }
}

#endif

template <class T>
void add_product(MatrixView<const T> k, MatrixView<const T> v, MatrixView<T> y) {
  gemm(T{1}, Transpose::no, k, Transpose::no, v, T{1}, y);
}

template <class T>
void add_transposed(MatrixView<const T> k, MatrixView<const T> w, MatrixView<T> back) {
  gemm(T{1}, Transpose::yes, k, Transpose::no, w, T{1}, back);
}

template <class T>
void multiply_with_blas(MatrixView<const T> k, MatrixView<const T> v, MatrixView<T> y, MatrixView<const T> w,
                        MatrixView<T> back) {
  add_product(k, v, y);
  add_transposed(k, w, back);
}

}  // namespace

void multiply_tile(MatrixView<const float> k, MatrixView<const float> v, MatrixView<float> y) {
  add_product(k, v, y);
}

void multiply_tile_twice(MatrixView<const float> k, MatrixView<const float> v, MatrixView<float> y,
                         MatrixView<const float> w, MatrixView<float> back) {
  multiply_with_blas(k, v, y, w, back);
}

#ifdef STEPWISE_AVX512

void multiply_tile(MatrixView<const double> k, MatrixView<const double> v, MatrixView<double> y) {
  if (has_avx512()) {
    multiply_all_rows(k, v, y, k.column(k.cols));
  } else {
    add_product(k, v, y);
  }
}

void multiply_tile_twice(MatrixView<const double> k, MatrixView<const double> v, MatrixView<double> y,
                         MatrixView<const double> w, MatrixView<double> back) {
  if (!has_avx512()) {
    multiply_with_blas(k, v, y, w, back);
    return;
  }
  const std::int64_t rows = k.rows - k.rows % lanes;
  const std::int64_t cols = k.cols - k.cols % lanes;
  // Columns first: they read the tile in the order in which it lies, and leave it in the cache.
  const double* ahead =
      multiply_columns(k.block(0, 0, rows, cols), w.block(0, 0, rows, w.cols), back, k.column(k.cols));
  if (cols < k.cols) {
    add_transposed(k.block(0, cols, k.rows, k.cols - cols), w, back.block(cols, 0, k.cols - cols, back.cols));
  }
  if (rows < k.rows) {
    add_transposed(k.block(rows, 0, k.rows - rows, cols), w.block(rows, 0, k.rows - rows, w.cols),
                   back.block(0, 0, cols, back.cols));
  }
  multiply_all_rows(k, v, y, ahead);
}

#else

void multiply_tile(MatrixView<const double> k, MatrixView<const double> v, MatrixView<double> y) {
  add_product(k, v, y);
}

void multiply_tile_twice(MatrixView<const double> k, MatrixView<const double> v, MatrixView<double> y,
                         MatrixView<const double> w, MatrixView<double> back) {
  multiply_with_blas(k, v, y, w, back);
}

#endif

}  // namespace stepwise
