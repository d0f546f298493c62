#pragma once

#include <cstdint>
#include <functional>

#include "stepwise/core/matrix_view.hpp"
#include "stepwise/dist/communicator.hpp"

namespace stepwise {

/// Bounds of a symmetric matrix's outermost eigenvalues from inside: no eigenvalue need be as small or as large, but
/// some are at least so.
struct RitzRange {
  double smallest = 0;
  double largest = 0;
};

/// The outermost Ritz values of `steps` Lanczos steps from a random vector, orthogonalised against all before them.
/// `product` is y := A v for vectors dealt out as BlockVector does, 1 x (this rank's samples); `group` as there.
/// Deterministic in (seed, sample). Collective. @throws CollectiveError(memory); (numerical) when A is not finite.
/// Cost: `steps` products. Memory per rank: 8 (steps + 2) N / P bytes. Source: Lanczos 1950.
[[nodiscard]] RitzRange ritz_range(
    const Communicator& comm, std::int64_t samples, std::int64_t group, std::int64_t steps, std::uint64_t seed,
    const std::function<void(MatrixView<const double> v, MatrixView<double> y)>& product);

}  // namespace stepwise
