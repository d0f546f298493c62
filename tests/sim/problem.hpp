#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "stepwise/core/random.hpp"
#include "stepwise/kernel/kernel_product.hpp"
#include "stepwise/sim/dynamics.hpp"
#include "support/grids.hpp"

namespace stepwise::test {

/// A small problem: correlated Gaussian views with decaying variances, and this rank's share of them.
struct Problem {
  std::int64_t samples = 0;
  std::int64_t features = 0;
  Pairing pairing;
  std::vector<double> data;  ///< features x samples, on every rank
  Range range;
  Samples own;

  [[nodiscard]] double at(std::int64_t k, std::int64_t i) const {
    return data[static_cast<std::size_t>(k + i * features)];
  }
};

inline Problem make_problem(std::int64_t groups, std::int64_t features, std::int64_t views = 2) {
  Problem p{groups * views, features, {views}, {}, sample_share(world(), groups * views, views), {}};
  for (std::int64_t i = 0; i < groups; ++i) {
    for (int view = 0; view < views; ++view) {
      for (std::int64_t k = 0; k < features; ++k) {
        const double common = RandomStream(1, Purpose::probe, i * features + k).normal();
        const double noise = RandomStream(1, Purpose::noise, i * features + k, view).normal();
        p.data.push_back((common + 0.3 * noise) / (1 + static_cast<double>(k) / 2));
      }
    }
  }
  p.own = make_samples(features, {p.data.begin() + p.range.begin * features, p.data.begin() + p.range.end * features});
  return p;
}

/// alpha times normal numbers, rows x cols, a function of (row, column) alone; columns from `first` on.
inline std::vector<double> normal_matrix(double alpha, std::int64_t rows, Range cols) {
  std::vector<double> a;
  for (std::int64_t j = cols.begin; j < cols.end; ++j) {
    for (std::int64_t i = 0; i < rows; ++i) a.push_back(alpha * normal_entry(i, j));
  }
  return a;
}

/// K V of this rank's samples, half of K stored.
inline ProductWithK product_with(const Kernel& kernel, const Problem& p) {
  auto product = std::make_shared<KernelProduct<double>>(kernel, p.own, world(), p.samples, p.pairing.views);
  product->store({});
  return [product](MatrixView<const double> v, MatrixView<double> y) { (*product)(v, y); };
}

inline MatrixView<const double> view(const std::vector<double>& a, std::int64_t rows) {
  return {a.data(), rows, static_cast<std::int64_t>(a.size()) / rows, rows};
}
inline MatrixView<double> view(std::vector<double>& a, std::int64_t rows) {
  return {a.data(), rows, static_cast<std::int64_t>(a.size()) / rows, rows};
}

/// The numbers of all ranks' columns, on every rank.
inline std::vector<double> replicate(const std::vector<double>& own, std::int64_t rows, const Problem& p) {
  std::vector<double> full(static_cast<std::size_t>(rows * p.samples));
  std::copy(own.begin(), own.end(), full.begin() + p.range.begin * rows);
  sum(world(), full);
  return full;
}

/// max |a - b| / max |b|
inline double difference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  double scale = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(a[i] - b[i]));
    scale = std::max(scale, std::abs(b[i]));
  }
  return most / scale;
}

/// Gamma = (1/c) Phi^T B Phi by its definition.
inline std::vector<double> naive_gamma(const Problem& p) {
  const std::int64_t m = p.features;
  const std::int64_t views = p.pairing.views;
  std::vector<double> gamma(static_cast<std::size_t>(m * m));
  for (std::int64_t i = 0; i < p.samples; ++i) {
    for (std::int64_t j = i / views * views; j < (i / views + 1) * views; ++j) {
      if (i == j) continue;
      for (std::int64_t a = 0; a < m; ++a) {
        for (std::int64_t b = 0; b < m; ++b) {
          gamma[static_cast<std::size_t>(a + b * m)] += p.at(a, i) * p.at(b, j) / p.pairing.norm(p.samples);
        }
      }
    }
  }
  return gamma;
}

/// A B, a being rows x inner.
inline std::vector<double> naive_product(const std::vector<double>& a, const std::vector<double>& b, std::int64_t rows,
                                         std::int64_t inner) {
  const std::int64_t cols = static_cast<std::int64_t>(b.size()) / inner;
  std::vector<double> c(static_cast<std::size_t>(rows * cols));
  for (std::int64_t j = 0; j < cols; ++j) {
    for (std::int64_t k = 0; k < inner; ++k) {
      for (std::int64_t i = 0; i < rows; ++i) {
        c[static_cast<std::size_t>(i + j * rows)] +=
            a[static_cast<std::size_t>(i + k * rows)] * b[static_cast<std::size_t>(k + j * inner)];
      }
    }
  }
  return c;
}

inline std::vector<double> transposed(const std::vector<double>& a, std::int64_t rows) {
  const std::int64_t cols = static_cast<std::int64_t>(a.size()) / rows;
  std::vector<double> t;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) t.push_back(a[static_cast<std::size_t>(i + j * rows)]);
  }
  return t;
}

}  // namespace stepwise::test
