#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/core/cache_lines.hpp"
#include "stepwise/dist/pairing.hpp"
#include "stepwise/kernel/samples.hpp"

namespace stepwise {

/// Gamma = (1/c) Phi^T B Phi, m x m, of which half is stored: tiles on and below the diagonal, dealt out over the ranks
/// and their threads by work, each multiplied for its two places.
class HalfGamma {
 public:
  /// `own` as in linear_model(). Collective. @throws CollectiveError(memory). Cost: N m^2 flops over all ranks, and
  /// m^2 / 2 numbers reduced. Memory per rank: 4 m^2 / P bytes twice, and those of `own`.
  HalfGamma(const Samples& own, std::int64_t outputs, std::int64_t samples, const Communicator& comm,
            const Pairing& pairing);

  /// y := X Gamma, both outputs x m. Collective. Cost: 2 outputs m^2 flops over all ranks, one reduction of
  /// outputs x m numbers.
  void operator()(MatrixView<const double> x, MatrixView<double> y);

 private:
  struct Tile {
    Range rows;
    Range cols;
    std::size_t offset = 0;  // in the numbers of whoever holds it
  };
  [[nodiscard]] static std::size_t size(const Tile& tile);
  void fill(const std::vector<Tile>& tiles, const Samples& own, const std::vector<double>& paired, double norm,
            std::vector<double>& numbers) const;
  void multiply(const std::vector<Tile>& tiles, double* sums) const;

  const Communicator* comm_;
  std::int64_t outputs_;
  std::int64_t features_;
  std::vector<std::vector<Tile>> parts_;  // of each thread
  CacheLines<double> tiles_;
  std::vector<double> x_;                  // features x outputs
  std::vector<std::vector<double>> sums_;  // of each thread, features x outputs
};

}  // namespace stepwise
