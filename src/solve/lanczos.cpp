#include "stepwise/solve/lanczos.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "stepwise/core/random.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/block_vector.hpp"
#include "stepwise/solve/small_eigen.hpp"

namespace stepwise {
namespace {

using Vector = std::vector<double>;

double dot(const Communicator& comm, const Vector& x, const Vector& y) {
  double total = 0;
  for (std::size_t i = 0; i < x.size(); ++i) total += x[i] * y[i];
  return sum(comm, total);
}

void add(double factor, const Vector& x, Vector& y) {
  for (std::size_t i = 0; i < x.size(); ++i) y[i] += factor * x[i];
}

}  // namespace

RitzRange ritz_range(const Communicator& comm, std::int64_t samples, std::int64_t group, std::int64_t steps,
                     std::uint64_t seed,
                     const std::function<void(MatrixView<const double> v, MatrixView<double> y)>& product) {
  const Range own = sample_share(comm, samples, group);
  steps = std::min(steps, samples);
  std::vector<Vector> basis;
  Vector next;
  attempt(comm, [&] {
    basis.assign(static_cast<std::size_t>(steps), Vector(static_cast<std::size_t>(own.size())));
    for (std::int64_t s = own.begin; s < own.end; ++s) {
      next.push_back(RandomStream(seed, Purpose::start, s, 0).normal());
    }
  });
  Vector projected(static_cast<std::size_t>(steps * steps));
  double norm = std::sqrt(dot(comm, next, next));
  double largest = 0;
  std::int64_t found = 0;
  while (found < steps) {
    Vector& q = basis[static_cast<std::size_t>(found)];
    std::transform(next.begin(), next.end(), q.begin(), [&](double x) { return x / norm; });
    product({q.data(), 1, own.size(), 1}, {next.data(), 1, own.size(), 1});
    for (int pass = 0; pass < 2; ++pass) {
      for (std::int64_t i = 0; i <= found; ++i) {
        const double c = dot(comm, basis[static_cast<std::size_t>(i)], next);
        projected[static_cast<std::size_t>(i + found * steps)] += c;
        add(-c, basis[static_cast<std::size_t>(i)], next);
        largest = std::max(largest, std::abs(c));
      }
    }
    ++found;
    norm = std::sqrt(dot(comm, next, next));
    if (!std::isfinite(norm)) throw CollectiveError(ExitCode::numerical, "the kernel matrix is not finite");
    if (norm <= static_cast<double>(samples) * std::numeric_limits<double>::epsilon() * largest) break;  // invariant
  }
  // Symmetric and tridiagonal but for rounding.
  Vector small(static_cast<std::size_t>(found * found));
  for (std::int64_t j = 0; j < found; ++j) {
    for (std::int64_t i = std::max<std::int64_t>(j - 1, 0); i <= j; ++i) {
      const double entry = projected[static_cast<std::size_t>(i + j * steps)];
      small[static_cast<std::size_t>(i + j * found)] = entry;
      small[static_cast<std::size_t>(j + i * found)] = entry;
    }
  }
  const Vector values = small_eigenpairs(comm, small, found).values;
  return {values.back(), values.front()};
}

}  // namespace stepwise
