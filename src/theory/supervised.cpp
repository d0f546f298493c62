#include "stepwise/theory/supervised.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

/// V^T (f - y), outputs x count, for the first eigenvectors.
std::vector<double> components(const BlockVector& vectors, std::int64_t count, const BlockVector& f,
                               const BlockVector& y, const Communicator& comm) {
  std::vector<double> result(static_cast<std::size_t>(f.width * count));
  const MatrixView<double> into{result.data(), f.width, count, f.width};
  const auto leading = vectors.local().block(0, 0, count, vectors.range.size());
  gemm(1, Transpose::no, f.local(), Transpose::yes, leading, 0, into);
  gemm(-1, Transpose::no, y.local(), Transpose::yes, leading, 1, into);
  sum(comm, result);
  return result;
}

double squared_length(const double* column, std::int64_t outputs) {
  return std::inner_product(column, column + outputs, column, 0.0);
}

double count_of(const SupervisedModes& modes) {
  return static_cast<double>(modes.lambda.size());
}

}  // namespace

SupervisedModes supervised_modes(const Eigenpairs& k, const BlockVector& f0, const BlockVector& y,
                                 const Communicator& comm, std::int64_t group) {
  SupervisedModes modes{k.values, {}, {}, to_block_vector(k.vectors, group)};
  const std::int64_t n = y.samples;
  attempt(comm, [&] {
    if (modes.vectors.width != n || f0.range != y.range || f0.width != y.width || modes.vectors.range != y.range) {
      fail(ExitCode::internal, "supervised_modes: {} eigenvectors of {} samples, or dealt out differently",
           modes.vectors.width, n);
    }
  });
  BlockVector zero = y;
  std::fill(zero.data.begin(), zero.data.end(), 0.0);
  const std::vector<double> targets = components(modes.vectors, n, y, zero, comm);
  modes.residual = components(modes.vectors, n, f0, y, comm);
  for (std::int64_t i = 0; i < n; ++i) modes.alignment.push_back(squared_length(targets.data() + i * y.width, y.width));
  return modes;
}

std::vector<double> flow_decay(const SupervisedModes& modes, double t) {
  std::vector<double> decay;
  for (const double lambda : modes.lambda) decay.push_back(std::exp(-lambda * t / count_of(modes)));
  return decay;
}

std::vector<double> descent_decay(const SupervisedModes& modes, double rate, std::int64_t steps) {
  std::vector<double> decay;
  for (const double lambda : modes.lambda) {
    decay.push_back(std::pow(1 - rate * lambda / count_of(modes), static_cast<double>(steps)));
  }
  return decay;
}

double supervised_loss(const SupervisedModes& modes, const std::vector<double>& decay) {
  double total = 0;
  for (const double left : supervised_residuals(modes, decay, std::ssize(modes.lambda))) total += left * left;
  return total / (2 * count_of(modes));
}

BlockVector supervised_outputs(const SupervisedModes& modes, const BlockVector& y, const std::vector<double>& decay) {
  const std::int64_t n = std::ssize(modes.lambda);
  std::vector<double> left = modes.residual;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t o = 0; o < y.width; ++o) {
      left[static_cast<std::size_t>(o + i * y.width)] *= decay[static_cast<std::size_t>(i)];
    }
  }
  BlockVector f = y;
  gemm(1, Transpose::no, {left.data(), y.width, n, y.width}, Transpose::no, modes.vectors.local(), 1, f.local());
  return f;
}

std::vector<double> supervised_residuals(const SupervisedModes& modes, const std::vector<double>& decay,
                                         std::int64_t count) {
  const std::int64_t outputs = std::ssize(modes.residual) / std::ssize(modes.lambda);
  std::vector<double> lengths;
  for (std::int64_t i = 0; i < count; ++i) {
    const double start = squared_length(modes.residual.data() + i * outputs, outputs);
    lengths.push_back(std::abs(decay[static_cast<std::size_t>(i)]) * std::sqrt(start));
  }
  return lengths;
}

std::vector<double> residuals_along(const SupervisedModes& modes, const BlockVector& f, const BlockVector& y,
                                    std::int64_t count, const Communicator& comm) {
  const std::vector<double> left = components(modes.vectors, count, f, y, comm);
  std::vector<double> lengths;
  for (std::int64_t i = 0; i < count; ++i) {
    lengths.push_back(std::sqrt(squared_length(left.data() + i * y.width, y.width)));
  }
  return lengths;
}

Complexity complexity(const SupervisedModes& modes, double floor) {
  Complexity result;
  double sum = 0;
  for (std::size_t i = 0; i < modes.lambda.size(); ++i) {
    if (modes.lambda[i] > floor) {
      sum += modes.alignment[i] / modes.lambda[i];
    } else {
      result.unreachable += modes.alignment[i];
    }
  }
  result.value = std::sqrt(2 * sum / static_cast<double>(modes.lambda.size()));
  return result;
}

}  // namespace stepwise
