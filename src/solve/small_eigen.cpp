#include "stepwise/solve/small_eigen.hpp"

#include <algorithm>

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/lapack.hpp"

namespace stepwise {

SmallEigenpairs small_eigenpairs(const Communicator& comm, const std::vector<double>& a, std::int64_t n) {
  const auto size = static_cast<std::size_t>(n);
  SmallEigenpairs pairs{std::vector<double>(size), std::vector<double>(size * size)};
  attempt_on_root(comm, [&] {
    const SymmetricEigenpairs found = symmetric_eigenpairs({a.data(), n, n, n}, true);
    pairs.values.assign(found.values.rbegin(), found.values.rend());
    for (std::size_t j = 0; j < size; ++j) {
      std::copy_n(found.vectors.data() + (size - 1 - j) * size, size, pairs.vectors.data() + j * size);
    }
  });
  broadcast(comm, pairs.values);
  broadcast(comm, pairs.vectors);
  return pairs;
}

}  // namespace stepwise
