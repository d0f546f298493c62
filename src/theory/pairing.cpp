#include "stepwise/theory/pairing.hpp"

#include <algorithm>

namespace stepwise {

void swap_views(DistMatrix& v) {
  const auto local = v.local();
  for (std::int64_t j = 0; j < local.cols; ++j) {
    double* column = local.column(j);
    for (std::int64_t i = 0; i + 1 < local.rows; i += views_per_pair) std::swap(column[i], column[i + 1]);
  }
}

void swap_views(MatrixView<double> v) {
  for (std::int64_t s = 0; s + 1 < v.cols; s += views_per_pair) {
    std::swap_ranges(v.column(s), v.column(s) + v.rows, v.column(s + 1));
  }
}

double mean_pair_kernel(const DistMatrix& k) {
  const auto local = k.local();
  const auto& rows = k.row_map();
  double total = 0;
  for (std::int64_t j = 0; j < local.cols; ++j) {
    const std::int64_t partner = k.global_col(j) ^ 1;
    if (rows.owner(Global{partner}) == k.grid().row()) total += local(value(rows.to_local(Global{partner})), j);
  }
  return sum(k.comm(), total) / static_cast<double>(k.rows());
}

double mean_pair_kernel(const Kernel& kernel, const Samples& own, std::int64_t samples, const Communicator& comm) {
  double total = 0;
  for (std::int64_t i = 0; i < own.count; i += views_per_pair) {
    double k = 0;
    evaluate(kernel, own, {i, i + 1}, own, {i + 1, i + 2}, {&k, 1, 1, 1});
    total += k;
  }
  return views_per_pair * sum(comm, total) / static_cast<double>(samples);
}

}  // namespace stepwise
