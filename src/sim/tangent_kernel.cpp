#include "stepwise/sim/tangent_kernel.hpp"

#include <algorithm>
#include <cmath>

#include "stepwise/dist/exchange.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

using Matrix = std::vector<double>;

/// Whose samples are whose.
std::vector<Range> ranges(const Communicator& data, std::int64_t own) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(data.size()));
  counts[static_cast<std::size_t>(data.rank())] = own;
  sum(data, counts);
  std::vector<Range> result;
  std::int64_t begin = 0;
  for (const std::int64_t count : counts) {
    result.push_back({begin, begin + count});
    begin += count;
  }
  return result;
}

/// Inner products of this rank's columns with everybody's, own x N. Collective over `data`.
Matrix products(MatrixView<const double> own, const std::vector<Range>& samples, const Communicator& data) {
  const std::int64_t total = samples.back().end;
  Matrix result(static_cast<std::size_t>(own.cols * total));
  Matrix visitor;
  for (int rank = 0; rank < data.size(); ++rank) {
    const Range range = samples[static_cast<std::size_t>(rank)];
    visitor.resize(static_cast<std::size_t>(own.rows * range.size()));
    if (rank == data.rank()) {
      for (std::int64_t s = 0; s < own.cols; ++s) std::copy_n(own.column(s), own.rows, visitor.data() + s * own.rows);
    }
    if (data.size() > 1) broadcast(data, visitor, rank);
    gemm(1, Transpose::yes, own, Transpose::no, {visitor.data(), own.rows, range.size(), own.rows}, 0,
         {result.data() + range.begin * own.cols, own.cols, range.size(), own.cols});
  }
  return result;
}

/// The part of h_{l-1} that is this rank's alone, or x.
MatrixView<const double> own_entering(const TrainedNetwork& network, std::size_t layer, MatrixView<const double> x,
                                      const NetworkPass& pass) {
  if (layer == 0) return x;
  const Range own = network.layers[layer - 1].own;
  return {pass.signals[layer - 1].data() + own.begin * x.cols, own.size(), x.cols, own.size()};
}

/// h.h' of what enters a layer. Collective.
Matrix entering_products(const TrainedNetwork& network, std::size_t layer, MatrixView<const double> x,
                         const NetworkPass& pass, const std::vector<Range>& samples, const TrainingGrid& grid) {
  Matrix result = products(own_entering(network, layer, x, pass), samples, grid.data);
  if (layer > 0 && grid.width.size() > 1) sum(grid.width, result);
  return result;
}

}  // namespace

SampleMatrix tangent_kernel(const TrainedNetwork& network, const TrainingGrid& grid, MatrixView<const double> x) {
  const std::vector<Range> samples = ranges(grid.data, x.cols);
  const std::size_t last = network.activations.size();
  const std::int64_t d = network.outputs();
  NetworkPass pass;
  forward(network, grid.width, x, pass);
  const auto entering_part = [&](std::size_t l) {
    const TrainedLayer& layer = network.layers[l];
    Matrix part = entering_products(network, l, x, pass, samples, grid);
    for (double& p : part) p = layer.rate * p + layer.bias_rate;
    return part;
  };
  SampleMatrix kernel{samples.back().end, samples[static_cast<std::size_t>(grid.data.rank())], entering_part(last)};
  Matrix units(static_cast<std::size_t>(d * d * x.cols));  // of each sample the d directions of the outputs
  for (std::size_t s = 0; s < units.size(); s += static_cast<std::size_t>(d * d)) {
    for (std::int64_t k = 0; k < d; ++k) units[s + static_cast<std::size_t>(k * (d + 1))] = 1;
  }
  back_propagate(
      network, grid.width, pass, {units.data(), d, d * x.cols, d}, d,
      [&](std::size_t l, MatrixView<const double> signals) {
        const TrainedLayer& layer = network.layers[l];
        if (layer.rate == 0 && layer.bias_rate == 0) return;
        Matrix back = products({signals.data, signals.rows * d, x.cols, signals.rows * d}, samples, grid.data);
        if (grid.width.size() > 1) sum(grid.width, back);
        const Matrix part = entering_part(l);
        for (std::size_t i = 0; i < part.size(); ++i) {
          kernel.rows[i] += part[i] * back[i] / static_cast<double>(d);
        }
      });
  return kernel;
}

SampleMatrix hidden_covariance(const TrainedNetwork& network, const TrainingGrid& grid, MatrixView<const double> x) {
  const std::vector<Range> samples = ranges(grid.data, x.cols);
  const std::int64_t total = samples.back().end;
  const std::size_t last = network.activations.size();
  NetworkPass pass;
  forward(network, grid.width, x, pass);
  const MatrixView<const double> h = own_entering(network, last, x, pass);
  Matrix mean(static_cast<std::size_t>(h.rows));
  for (std::int64_t s = 0; s < h.cols; ++s) {
    for (std::int64_t i = 0; i < h.rows; ++i) mean[static_cast<std::size_t>(i)] += h(i, s);
  }
  sum(grid.data, mean);
  Matrix centred(static_cast<std::size_t>(h.rows * h.cols));
  for (std::int64_t s = 0; s < h.cols; ++s) {
    for (std::int64_t i = 0; i < h.rows; ++i) {
      centred[static_cast<std::size_t>(i + s * h.rows)] =
          h(i, s) - mean[static_cast<std::size_t>(i)] / static_cast<double>(total);
    }
  }
  SampleMatrix result{total, samples[static_cast<std::size_t>(grid.data.rank())],
                      products({centred.data(), h.rows, h.cols, h.rows}, samples, grid.data)};
  if (last > 0 && grid.width.size() > 1) sum(grid.width, result.rows);
  for (double& product : result.rows) product /= static_cast<double>(total);
  return result;
}

SampleMatrix rows_of(const SampleMatrix& matrix, Range own) {
  SampleMatrix result{matrix.samples, own, {}};
  const MatrixView<const double> from =
      matrix.view().block(own.begin - matrix.own.begin, 0, own.size(), matrix.samples);
  for (std::int64_t s = 0; s < from.cols; ++s) {
    result.rows.insert(result.rows.end(), from.column(s), from.column(s) + from.rows);
  }
  return result;
}

double relative_change(const SampleMatrix& now, const SampleMatrix& start, const Communicator& data) {
  std::vector<double> squares(2);
  for (std::size_t i = 0; i < start.rows.size(); ++i) {
    const double change = now.rows[i] - start.rows[i];
    squares[0] += change * change;
    squares[1] += start.rows[i] * start.rows[i];
  }
  sum(data, squares);
  return squares[1] > 0 ? std::sqrt(squares[0] / squares[1]) : 0;
}

ProductWithK product_with(const SampleMatrix& matrix, const Communicator& data) {
  return [&matrix, &data, samples = ranges(data, matrix.own.size())](MatrixView<const double> v, MatrixView<double> y) {
    std::vector<std::int64_t> counts;
    for (const Range& range : samples) counts.push_back(range.size() * v.rows);
    Matrix own;
    for (std::int64_t s = 0; s < v.cols; ++s) own.insert(own.end(), v.column(s), v.column(s) + v.rows);
    Matrix all(static_cast<std::size_t>(v.rows * matrix.samples));
    gather(data, own, counts, all);
    gemm(1, Transpose::no, {all.data(), v.rows, matrix.samples, v.rows}, Transpose::yes, matrix.view(), 0, y);
  };
}

std::vector<double> whole(const SampleMatrix& matrix, const Communicator& data) {
  // Rows of a symmetric matrix are its columns.
  Matrix own(matrix.rows.size());
  const MatrixView<const double> rows = matrix.view();
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    for (std::int64_t j = 0; j < rows.cols; ++j) own[static_cast<std::size_t>(j + i * rows.cols)] = rows(i, j);
  }
  std::vector<std::int64_t> counts;
  for (const Range& range : ranges(data, matrix.own.size())) counts.push_back(range.size() * matrix.samples);
  Matrix all(static_cast<std::size_t>(matrix.samples * matrix.samples));
  gather(data, own, counts, all);
  return all;
}

}  // namespace stepwise
