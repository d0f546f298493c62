#include "stepwise/theory/pairing.hpp"

#include <algorithm>
#include <vector>

namespace stepwise {

void apply_pairing(const Pairing& pairing, DistMatrix& v) {
  const auto local = v.local();
  for (std::int64_t j = 0; j < local.cols; ++j) {
    double* column = local.column(j);
    for (std::int64_t i = 0; i + pairing.views <= local.rows; i += pairing.views) {
      if (pairing.views == 2) {
        std::swap(column[i], column[i + 1]);
        continue;
      }
      double total = 0;
      for (std::int64_t view = 0; view < pairing.views; ++view) total += column[i + view];
      for (std::int64_t view = 0; view < pairing.views; ++view) column[i + view] = total - column[i + view];
    }
  }
}

void apply_pairing(const Pairing& pairing, MatrixView<double> v) {
  std::vector<double> total(pairing.views == 2 ? 0 : static_cast<std::size_t>(v.rows));
  for (std::int64_t s = 0; s + pairing.views <= v.cols; s += pairing.views) {
    if (pairing.views == 2) {
      std::swap_ranges(v.column(s), v.column(s) + v.rows, v.column(s + 1));
      continue;
    }
    std::fill(total.begin(), total.end(), 0.0);
    for (std::int64_t view = 0; view < pairing.views; ++view) {
      for (std::int64_t j = 0; j < v.rows; ++j) total[static_cast<std::size_t>(j)] += v(j, s + view);
    }
    for (std::int64_t view = 0; view < pairing.views; ++view) {
      for (std::int64_t j = 0; j < v.rows; ++j) v(j, s + view) = total[static_cast<std::size_t>(j)] - v(j, s + view);
    }
  }
}

double mean_pair_kernel(const DistMatrix& k, const Pairing& pairing) {
  const auto local = k.local();
  const auto& rows = k.row_map();
  double total = 0;
  for (std::int64_t j = 0; j < local.cols; ++j) {
    const std::int64_t sample = k.global_col(j);
    const std::int64_t first = sample - sample % pairing.views;
    for (std::int64_t partner = first; partner < first + pairing.views; ++partner) {
      if (partner == sample || rows.owner(Global{partner}) != k.grid().row()) continue;
      total += local(value(rows.to_local(Global{partner})), j);
    }
  }
  return sum(k.comm(), total) / pairing.norm(k.rows());
}

double mean_pair_kernel(const Kernel& kernel, const Samples& own, std::int64_t samples, const Communicator& comm,
                        const Pairing& pairing) {
  double total = 0;
  for (std::int64_t i = 0; i < own.count; ++i) {
    const std::int64_t end = i - i % pairing.views + pairing.views;
    for (std::int64_t j = i + 1; j < end; ++j) {
      double k = 0;
      evaluate(kernel, own, {i, i + 1}, own, {j, j + 1}, {&k, 1, 1, 1});
      total += k;
    }
  }
  return 2 * sum(comm, total) / pairing.norm(samples);
}

}  // namespace stepwise
