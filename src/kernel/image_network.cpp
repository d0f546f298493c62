#include "kernel/image_network.hpp"

#include <algorithm>
#include <cmath>

#include "kernel/image_walk.hpp"
#include "kernel/network_column.hpp"

namespace stepwise {
namespace {

template <class T>
std::vector<ImageGroup<T>> prepare_all(ImageWalk<T>& walk, const BasicSamples<T>& samples, Range range) {
  std::vector<ImageGroup<T>> groups;
  for (std::int64_t first = range.begin; first < range.end; first += lanes<T>) {
    groups.push_back(walk.prepare(samples, first, range.end));
  }
  return groups;
}

template <class T>
std::vector<double> readout_variances(const std::vector<ImageGroup<T>>& groups, std::int64_t count) {
  std::vector<double> variances;
  for (const auto& group : groups) variances.insert(variances.end(), group.readout.begin(), group.readout.end());
  variances.resize(static_cast<std::size_t>(count));
  return variances;
}

/// Takes the pairs of images `first`, ... and `col` from the readout through the head. `out` holds c, and then k.
template <class T>
void finish(NetworkKernel which, const ImagePlan& plan, const Signals<T>& rows, std::int64_t first, std::int64_t count,
            const Signals<T>& cols, std::int64_t col, const T* distance, const T* ntk, T* out) {
  PairColumn<T> pairs;
  const T* r = rows.before(0) + first;
  const T s = cols.before(0)[col];
  for (std::int64_t i = 0; i < count; ++i) {
    const T product = 2 * r[i] * s;
    // Behind gap only c is known; after flatten the distance is, which tells near-duplicates apart.
    const T minus = plan.global ? product - 2 * out[i] : distance[i] - (r[i] - s) * (r[i] - s);
    pairs.minus[i] = std::max(minus, T{0});
    pairs.plus[i] = std::max(2 * product - pairs.minus[i], T{0});
    pairs.gap[i] = (r[i] - s) * (r[i] + s);
    pairs.ntk[i] = ntk[i];
  }
  network_column<T>(plan.head, which, rows, first, count, cols, col, pairs, out);
}

}  // namespace

template <class T>
void evaluate_images(const Network& network, const BasicSamples<T>& x, Range rows, const BasicSamples<T>& y, Range cols,
                     MatrixView<T> out) {
  const ImagePlan plan = plan_images(network);
  ImageWalk<T> walk(plan, network.which);
  const auto row_groups = prepare_all(walk, x, rows);
  // A tile on the diagonal needs one half; the other is its mirror image.
  const bool symmetric = &x == &y && rows.begin == cols.begin && rows.end == cols.end;
  const auto col_groups = symmetric ? row_groups : prepare_all(walk, y, cols);
  std::vector<T> distance(static_cast<std::size_t>(out.rows * out.cols));
  std::vector<T> ntk(distance.size());
  T sums[3 * lanes<T>];
  const auto set = [&](std::int64_t i, std::int64_t j, std::int64_t lane) {
    out(i, j) = sums[lane];
    distance[static_cast<std::size_t>(i + j * out.rows)] = sums[lanes<T> + lane];
    ntk[static_cast<std::size_t>(i + j * out.rows)] = sums[2 * lanes<T> + lane];
  };
  for (std::int64_t i = 0; i < out.rows; ++i) {
    const auto image = spread(row_groups[static_cast<std::size_t>(i / lanes<T>)], i % lanes<T>);
    for (std::int64_t j = symmetric ? i / lanes<T> * lanes<T> : 0; j < out.cols; j += lanes<T>) {
      walk.readout(image, col_groups[static_cast<std::size_t>(j / lanes<T>)], sums);
      for (std::int64_t lane = 0; lane < std::min(lanes<T>, out.cols - j); ++lane) {
        if (symmetric && j + lane < i) continue;
        set(i, j + lane, lane);
        if (symmetric) set(j + lane, i, lane);
      }
    }
  }
  const Signals<T> row_signals(plan.head, readout_variances(row_groups, out.rows));
  const Signals<T> col_signals(plan.head, readout_variances(col_groups, out.cols));
  for (std::int64_t j = 0; j < out.cols; ++j) {
    for (std::int64_t first = 0; first < out.rows; first += column_chunk) {
      const std::int64_t count = std::min(column_chunk, out.rows - first);
      const std::int64_t at = first + j * out.rows;
      finish(network.which, plan, row_signals, first, count, col_signals, j, distance.data() + at, ntk.data() + at,
             out.column(j) + first);
    }
  }
}

template <class T>
std::vector<T> image_diagonal(const Network& network, const BasicSamples<T>& x, Range range) {
  const ImagePlan plan = plan_images(network);
  ImageWalk<T> walk(plan, network.which);
  std::vector<T> diagonal(static_cast<std::size_t>(range.size()));
  T sums[3 * lanes<T>];
  for (std::int64_t first = range.begin; first < range.end; first += lanes<T>) {
    const ImageGroup<T> group = walk.prepare(x, first, range.end);
    walk.readout(group, group, sums);
    const Signals<T> signals(plan.head, group.readout);
    for (std::int64_t lane = 0; lane < std::min(lanes<T>, range.end - first); ++lane) {
      T* entry = diagonal.data() + (first - range.begin + lane);
      *entry = sums[lane];
      finish(network.which, plan, signals, lane, 1, signals, lane, sums + lanes<T> + lane, sums + 2 * lanes<T> + lane,
             entry);
    }
  }
  return diagonal;
}

template void evaluate_images(const Network&, const Samples&, Range, const Samples&, Range, MatrixView<double>);
template void evaluate_images(const Network&, const SingleSamples&, Range, const SingleSamples&, Range,
                              MatrixView<float>);
template std::vector<double> image_diagonal(const Network&, const Samples&, Range);
template std::vector<float> image_diagonal(const Network&, const SingleSamples&, Range);

}  // namespace stepwise
