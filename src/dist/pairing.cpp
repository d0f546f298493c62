#include "stepwise/dist/pairing.hpp"

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

}  // namespace stepwise
