#include "stepwise/theory/centring.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

}  // namespace

void centre(const Centring& centring, const Communicator& comm, std::int64_t samples, MatrixView<double> v,
            std::int64_t first) {
  const std::int64_t kinds = centring.kinds;
  std::vector<double> means(at(v.rows * kinds));
  for (std::int64_t s = 0; s < v.cols; ++s) {
    double* of_kind = means.data() + (first + s) % kinds * v.rows;
    for (std::int64_t j = 0; j < v.rows; ++j) of_kind[j] += v(j, s);
  }
  sum(comm, means);
  const std::int64_t each = samples / kinds;
  for (double& mean : means) mean /= static_cast<double>(each);
  for (std::int64_t s = 0; s < v.cols; ++s) {
    const double* of_kind = means.data() + (first + s) % kinds * v.rows;
    for (std::int64_t j = 0; j < v.rows; ++j) v(j, s) -= of_kind[j];
  }
}

BlockVector centre(const Centring& centring, DistMatrix& k, std::int64_t group) {
  const std::int64_t n = k.rows();
  const std::int64_t kinds = centring.kinds;
  const std::int64_t of_kind = n / kinds;
  const auto each = static_cast<double>(of_kind);
  const auto local = k.local();
  std::vector<double> means;  // kinds x n
  attempt(k.comm(), [&] { means.resize(at(n * kinds)); });
  for (std::int64_t j = 0; j < local.cols; ++j) {
    const std::int64_t kind = k.global_col(j) % kinds;
    for (std::int64_t i = 0; i < local.rows; ++i) means[at(k.global_row(i) * kinds + kind)] += local(i, j);
  }
  sum(k.comm(), means);
  for (double& mean : means) mean /= each;
  std::vector<double> overall(at(kinds * kinds));  // means over rows and columns, symmetric to the bit
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t kind = i % kinds; kind < kinds; ++kind) {
      overall[at(i % kinds * kinds + kind)] += means[at(i * kinds + kind)] / each;
    }
  }
  const double before = max_abs(k);
  for (std::int64_t j = 0; j < local.cols; ++j) {
    const std::int64_t col = k.global_col(j);
    for (std::int64_t i = 0; i < local.rows; ++i) {
      const std::int64_t row = k.global_row(i);
      const auto [low, high] = std::minmax({row % kinds, col % kinds});
      local(i, j) -=
          means[at(row * kinds + col % kinds)] + means[at(col * kinds + row % kinds)] - overall[at(low * kinds + high)];
    }
  }
  // All samples alike: what is left is rounding, and no modes should be found in it.
  constexpr double rounding = 16 * std::numeric_limits<double>::epsilon();
  if (max_abs(k) <= rounding * before) scale(k, 0);
  BlockVector own = make_block_vector(k.comm(), n, kinds, group);
  std::copy_n(means.begin() + own.range.begin * kinds, own.data.size(), own.data.begin());
  return own;
}

BlockVector centre(const Communicator& comm, Samples& own, std::int64_t samples, std::int64_t group) {
  const std::int64_t m = own.features;
  std::vector<double> mean;
  BlockVector means;
  attempt(comm, [&] {
    mean.resize(at(m));
    means = make_block_vector(comm, samples, 1, group);
  });
  for (std::int64_t s = 0; s < own.count; ++s) {
    for (std::int64_t i = 0; i < m; ++i) mean[at(i)] += own.sample(s)[i];
  }
  sum(comm, mean);
  for (double& x : mean) x /= static_cast<double>(samples);
  for (std::int64_t s = 0; s < own.count; ++s) {
    double* sample = own.data.data() + s * m;
    for (std::int64_t i = 0; i < m; ++i) {
      means.data[at(s)] += sample[i] * mean[at(i)];
      sample[i] -= mean[at(i)];
    }
  }
  own = attempt(comm, [&] { return make_samples(m, std::move(own.data)); });
  return means;
}

ProductWithK centred(const Centring& centring, const Communicator& comm, std::int64_t samples, std::int64_t group,
                     ProductWithK kernel) {
  const std::int64_t first = sample_share(comm, samples, group).begin;
  return
      [centring, &comm, samples, first, kernel = std::move(kernel)](MatrixView<const double> v, MatrixView<double> y) {
        std::vector<double> copy;
        attempt(comm, [&] { copy.resize(at(v.rows * v.cols)); });
        const MatrixView<double> inside{copy.data(), v.rows, v.cols, v.rows};
        for (std::int64_t s = 0; s < v.cols; ++s) std::copy_n(v.column(s), v.rows, inside.column(s));
        centre(centring, comm, samples, inside, first);
        kernel(inside, y);
        centre(centring, comm, samples, y, first);
      };
}

BlockVector row_means(const Centring& centring, const Communicator& comm, std::int64_t samples, std::int64_t group,
                      const ProductWithK& kernel) {
  BlockVector ones;
  BlockVector means;
  attempt(comm, [&] {
    ones = make_block_vector(comm, samples, centring.kinds, group);
    means = ones;
  });
  for (std::int64_t s = 0; s < ones.range.size(); ++s) {
    ones.local()((ones.range.begin + s) % centring.kinds, s) =
        static_cast<double>(centring.kinds) / static_cast<double>(samples);
  }
  kernel(ones.local(), means.local());
  return means;
}

double centred_mean_pair_kernel(double before, const BlockVector& means, const Communicator& comm) {
  double total = 0;
  for (std::int64_t s = 0; s < means.range.size(); ++s) {
    total += means.local()((means.range.begin + s + 1) % means.width, s);  // the kind of the other view
  }
  return before - sum(comm, total) / static_cast<double>(means.samples);
}

std::vector<std::vector<double>> centring_offsets(const BlockVector& weights, const BlockVector& means,
                                                  const Communicator& comm) {
  const std::int64_t d = weights.width;
  std::vector<double> sums(static_cast<std::size_t>(d * means.width));
  gemm(-1, Transpose::no, weights.local(), Transpose::yes, means.local(), 0, {sums.data(), d, means.width, d});
  sum(comm, sums);
  std::vector<std::vector<double>> offsets;
  for (std::int64_t kind = 0; kind < means.width; ++kind) {
    offsets.emplace_back(sums.begin() + kind * d, sums.begin() + (kind + 1) * d);
  }
  return offsets;
}

}  // namespace stepwise
