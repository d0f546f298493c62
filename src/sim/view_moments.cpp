#include <algorithm>
#include <cmath>

#include "sim/pair_losses.hpp"
#include "stepwise/dist/gemm.hpp"

// Losses of the moments of each view's embeddings over the batch: Barlow Twins and VICReg.

namespace stepwise {
namespace {

using Matrix = std::vector<double>;

/// View v of all groups: every V-th column.
template <class T>
MatrixView<T> view_of(MatrixView<T> f, std::int64_t views, std::int64_t v) {
  return {f.data + v * f.stride, f.rows, f.cols / views, views * f.stride};
}

/// The embeddings less each view's mean over the batch.
struct Centred {
  std::int64_t dimensions;
  std::int64_t views;
  std::int64_t samples;  ///< this rank's
  double groups;         ///< n over all ranks
  Matrix data;

  [[nodiscard]] MatrixView<double> all() { return {data.data(), dimensions, samples, dimensions}; }
  [[nodiscard]] MatrixView<double> of(std::int64_t v) { return view_of(all(), views, v); }
};

Centred centred(const PairBatch& batch) {
  const std::int64_t d = batch.f.rows;
  const std::int64_t views = batch.pairing.views;
  Matrix means(static_cast<std::size_t>(d * views + 1));
  for (std::int64_t s = 0; s < batch.f.cols; ++s) {
    double* mean = means.data() + s % views * d;
    for (std::int64_t j = 0; j < d; ++j) mean[j] += batch.f(j, s);
  }
  means.back() = static_cast<double>(batch.f.cols / views);
  sum(batch.comm, means);
  Centred result{d, views, batch.f.cols, means.back(), {}};
  result.data.resize(static_cast<std::size_t>(d * batch.f.cols));
  for (std::int64_t s = 0; s < batch.f.cols; ++s) {
    const double* mean = means.data() + s % views * d;
    for (std::int64_t j = 0; j < d; ++j) {
      result.data[static_cast<std::size_t>(j + s * d)] = batch.f(j, s) - mean[j] / result.groups;
    }
  }
  return result;
}

/// Scales each output of each view to variance 1 over the batch; returns the factors. Collective.
Matrix normalise(Centred& z, double epsilon, const Communicator& comm) {
  const std::int64_t d = z.dimensions;
  Matrix factors(static_cast<std::size_t>(d * z.views));
  for (std::int64_t s = 0; s < z.samples; ++s) {
    for (std::int64_t j = 0; j < d; ++j) {
      const double x = z.data[static_cast<std::size_t>(j + s * d)];
      factors[static_cast<std::size_t>(s % z.views * d + j)] += x * x;
    }
  }
  sum(comm, factors);
  for (double& x : factors) x = 1 / std::sqrt(x / z.groups + epsilon);
  for (std::int64_t s = 0; s < z.samples; ++s) {
    for (std::int64_t j = 0; j < d; ++j) {
      z.data[static_cast<std::size_t>(j + s * d)] *= factors[static_cast<std::size_t>(s % z.views * d + j)];
    }
  }
  return factors;
}

}  // namespace

// dL/dZ_v = (1/n) sum_w dL/dC_vw Z_w has mean 0 over the batch, and the mean of (dL/dZ_v) o Z_v is that of the rows of
// (dL/dC_vw) o C_vw: going back through the normalisation needs no reduction.
double barlow_twins(const BarlowTwins& loss, const PairBatch& batch, MatrixView<double> gradient) {
  Centred z = centred(batch);
  const Matrix factors = normalise(z, loss.epsilon, batch.comm);
  const std::int64_t d = z.dimensions;
  const std::int64_t views = z.views;
  const std::int64_t pairs = views * (views - 1) / 2;
  Matrix c(static_cast<std::size_t>(d * d * pairs));
  const auto correlation = [&](std::int64_t p) { return MatrixView<double>{c.data() + p * d * d, d, d, d}; };
  const auto each_pair = [&](const auto& visit) {
    std::int64_t p = 0;
    for (std::int64_t v = 0; v < views; ++v) {
      for (std::int64_t w = v + 1; w < views; ++w) visit(v, w, p++);
    }
  };
  each_pair([&](std::int64_t v, std::int64_t w, std::int64_t p) {
    gemm(1 / z.groups, Transpose::no, z.of(v), Transpose::yes, z.of(w), 0, correlation(p));
  });
  sum(batch.comm, c);
  double total = 0;
  Matrix along(static_cast<std::size_t>(d * views));  // mean of (dL/dZ_v) o Z_v
  for (std::int64_t s = 0; s < gradient.cols; ++s) std::fill_n(gradient.column(s), d, 0.0);
  each_pair([&](std::int64_t v, std::int64_t w, std::int64_t p) {
    const auto by_c = correlation(p);
    for (std::int64_t j = 0; j < d; ++j) {
      for (std::int64_t i = 0; i < d; ++i) {
        const double value = by_c(i, j);
        const double excess = i == j ? value - 1 : value;
        const double weight = (i == j ? 1 : loss.off_diagonal) / static_cast<double>(pairs);
        total += weight * excess * excess;
        by_c(i, j) = 2 * weight * excess;
        along[static_cast<std::size_t>(v * d + i)] += by_c(i, j) * value / z.groups;
        along[static_cast<std::size_t>(w * d + j)] += by_c(i, j) * value / z.groups;
      }
    }
    gemm(1 / z.groups, Transpose::no, by_c, Transpose::no, z.of(w), 1, view_of(gradient, views, v));
    gemm(1 / z.groups, Transpose::yes, by_c, Transpose::no, z.of(v), 1, view_of(gradient, views, w));
  });
  for (std::int64_t s = 0; s < gradient.cols; ++s) {
    for (std::int64_t j = 0; j < d; ++j) {
      const auto k = static_cast<std::size_t>(s % views * d + j);
      gradient(j, s) = factors[k] * (gradient(j, s) - z.all()(j, s) * along[k]);
    }
  }
  return total;
}

double vicreg(const VicReg& loss, const PairBatch& batch, MatrixView<double> gradient) {
  Centred z = centred(batch);
  const std::int64_t d = z.dimensions;
  const std::int64_t views = z.views;
  const double per_pair = 2 / static_cast<double>(views * (views - 1));
  const double per_view = 2 / (static_cast<double>(views) * static_cast<double>(d));
  // Covariances of the views, and the sum of squared distances.
  Matrix sums(static_cast<std::size_t>(d * d * views + 1));
  const auto covariance = [&](std::int64_t v) { return MatrixView<double>{sums.data() + v * d * d, d, d, d}; };
  for (std::int64_t v = 0; v < views; ++v) {
    gemm(1 / (z.groups - 1), Transpose::no, z.of(v), Transpose::yes, z.of(v), 0, covariance(v));
  }
  const Matrix fb = paired(batch);
  for (std::int64_t s = 0; s < batch.f.cols; ++s) {
    for (std::int64_t j = 0; j < d; ++j) {
      // sum_{w != v} (f_v - f_w); half of f_v times it, summed over v, is the sum over pairs of |f_v - f_w|^2.
      const double apart = static_cast<double>(views - 1) * batch.f(j, s) - fb[static_cast<std::size_t>(j + s * d)];
      sums.back() += batch.f(j, s) * apart;
      gradient(j, s) = loss.invariance * per_pair * 2 / z.groups * apart;
    }
  }
  sum(batch.comm, sums);
  double total = loss.invariance * per_pair * sums.back() / z.groups;
  for (std::int64_t v = 0; v < views; ++v) {
    const auto by_z = covariance(v);  // becomes M with dL/dZ_v = M Z_v
    for (std::int64_t j = 0; j < d; ++j) {
      const double deviation = std::sqrt(by_z(j, j) + loss.epsilon);
      total += loss.variance * per_view * std::max(0.0, loss.target - deviation);
      for (std::int64_t i = 0; i < d; ++i) {
        if (i == j) continue;
        total += loss.covariance * per_view * by_z(i, j) * by_z(i, j);
        by_z(i, j) *= loss.covariance * per_view * 4 / (z.groups - 1);
      }
      by_z(j, j) = deviation < loss.target ? -loss.variance * per_view / (deviation * (z.groups - 1)) : 0;
    }
    gemm(1, Transpose::no, by_z, Transpose::no, z.of(v), 1, view_of(gradient, views, v));
  }
  return total;
}

}  // namespace stepwise
