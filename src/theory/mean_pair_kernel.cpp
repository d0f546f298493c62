#include "stepwise/theory/mean_pair_kernel.hpp"

namespace stepwise {

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
