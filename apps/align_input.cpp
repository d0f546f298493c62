#include "align_input.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "stepwise/data/matrix_scan.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/pblas.hpp"
#include "stepwise/kernel/assemble.hpp"
#include "stepwise/kernel/kernel.hpp"
#include "stepwise/solve/eigensolver.hpp"

namespace stepwise {

SampleRows open_embeddings(const Communicator& comm, const std::string& path) {
  return attempt(comm, [&] {
    SampleRows rows = open_sample_rows(path, embedding_datasets);
    const StoredMatrix& matrix = rows.matrix;
    if (matrix.rows == 0 || matrix.cols == 0) {
      fail(ExitCode::input, "{}: is empty: {} samples of {} dimensions", matrix.name, matrix.rows, matrix.cols);
    }
    if (matrix.cols > matrix.rows) {
      fail(ExitCode::input,
           "{}: has {} dimensions and {} samples: subspaces need more samples than dimensions (are they transposed?)",
           matrix.name, matrix.cols, matrix.rows);
    }
    return rows;
  });
}

BlockVector read_embeddings(const Communicator& comm, const StoredMatrix& matrix) {
  constexpr std::int64_t most_numbers = std::int64_t{1} << 22;
  return attempt(comm, [&] {
    BlockVector result = make_block_vector(comm, matrix.rows, matrix.cols, 1);
    const std::int64_t most = std::max<std::int64_t>(most_numbers / matrix.cols, 1);
    std::vector<double> batch;
    for (std::int64_t begin = result.range.begin; begin < result.range.end; begin += most) {
      const Range rows{begin, std::min(begin + most, result.range.end)};
      batch.resize(static_cast<std::size_t>(rows.size() * matrix.cols));
      const MatrixView<double> view{batch.data(), rows.size(), matrix.cols, rows.size()};
      matrix.read(rows, {0, matrix.cols}, view);
      for (std::int64_t i = 0; i < view.rows; ++i) {
        for (std::int64_t j = 0; j < view.cols; ++j) {
          if (!std::isfinite(view(i, j))) {
            fail(ExitCode::input, "{}: holds {} in sample {}, dimension {} (counted from 0)", matrix.name, view(i, j),
                 begin + i, j);
          }
          result.local()(j, begin + i - result.range.begin) = view(i, j);
        }
      }
    }
    return result;
  });
}

namespace {

/// As solve does by default with --kernel.symmetry-tolerance.
constexpr double symmetry_tolerance = 1e-6;

void require_symmetric(const Communicator& comm, const StoredMatrix& matrix) {
  const MatrixScan scan = attempt(comm, [&] {
    return scan_kernel(matrix, {{0, matrix.rows}}, comm.rank(), comm.size());
  });
  const double largest = max(comm, scan.largest);
  attempt(comm, [&] {
    if (scan.asymmetry <= symmetry_tolerance * largest) return;
    fail(ExitCode::input, "{}: is not symmetric: entry ({}, {}) is {}, ({}, {}) is {} (counted from 0)", matrix.name,
         scan.row, scan.col, scan.above, scan.col, scan.row, scan.below);
  });
}

/// Local rows or columns, as samples of a stored kernel: their numbers.
Samples numbers_of(std::int64_t count, auto global) {
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < count; ++i) numbers.push_back(static_cast<double>(global(i)));
  return make_samples(1, std::move(numbers));
}

}  // namespace

SubspaceBasis kernel_eigenvectors(const Communicator& comm, const std::string& path, std::int64_t samples,
                                  std::int64_t count) {
  constexpr std::int64_t block_size = 64;
  const auto matrix = attempt(comm, [&] { return std::make_shared<const StoredMatrix>(open_kernel_matrix(path, 1)); });
  attempt(comm, [&] {
    if (matrix->rows != samples) {
      fail(ExitCode::input, "--kernel {}: is a matrix of {} samples, the embeddings are of {}", matrix->name,
           matrix->rows, samples);
    }
  });
  require_symmetric(comm, *matrix);
  const GridShape shape = nearly_square(comm.size());
  const auto grid = ProcessGrid::create(comm, shape);
  const std::int64_t block = fitting_block(samples, std::max(shape.rows, shape.cols), block_size, 1);
  const DistMatrix layout(grid, samples, samples, block);
  const auto [rows, cols] = attempt(comm, [&] {
    return std::pair(numbers_of(layout.local().rows, [&](std::int64_t i) { return layout.global_row(i); }),
                     numbers_of(layout.local().cols, [&](std::int64_t j) { return layout.global_col(j); }));
  });
  const DistMatrix k = assemble(PrecomputedKernel{matrix, nullptr}, rows, cols, grid, samples, block, [](double) {});
  const auto times = [&](const DistMatrix& v) {
    DistMatrix result(grid, samples, v.cols(), block);
    multiply(1, Transpose::no, k, Transpose::no, v, result);
    return result;
  };
  const Eigenpairs pairs = largest_eigenpairs({[&] { return k.clone(); }, times}, count);
  SubspaceBasis basis{
      to_block_vector(pairs.vectors, 1), std::vector<std::int64_t>(static_cast<std::size_t>(count)), {}};
  std::iota(basis.kept.begin(), basis.kept.end(), std::int64_t{0});
  return basis;
}

}  // namespace stepwise
