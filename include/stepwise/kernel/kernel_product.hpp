#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "stepwise/core/cache_lines.hpp"
#include "stepwise/core/timing.hpp"
#include "stepwise/dist/block_vector.hpp"
#include "stepwise/kernel/evaluate.hpp"

namespace stepwise {

/// K V for V as BlockVector stores it, samples numbered pair by pair. Collective.
using ProductWithK = std::function<void(MatrixView<const double>, MatrixView<double>)>;

/// Products of a kernel matrix with block vectors, of which at most half the matrix is ever stored: every tile stands
/// for the two places that it has in the symmetric matrix.
///
/// The ranks stand in a ring. Each keeps its own samples, and those of the others (or their part of V alone, once the
/// tiles are stored) come by one rank at a time, half-way round: a pair of ranks meets once, and if they meet in the
/// middle each takes half of the work. Everything is in precision T but for the vectors given and returned. Keeps
/// references to the kernel and the samples.
template <class T>
class KernelProduct {
 public:
  /// `own` holds this rank's samples, sample_share(comm, samples, group). Local.
  KernelProduct(const Kernel& kernel, const BasicSamples<T>& own, const Communicator& comm, std::int64_t samples,
                std::int64_t group);

  /// Evaluates this rank's tiles for all products to come; without it every product evaluates them anew. Collective.
  /// @throws CollectiveError(memory), (stopped). Cost: m N^2 flops over all ranks and the kernel's own for N^2 / 2
  /// entries; every rank receives half of all samples. Memory per rank: sizeof(T) N^2 / 2P for the tiles, meanwhile 2
  /// sizeof(T) m N / P for two visiting ranks' samples (none on one rank).
  void store(const Progress& progress);

  /// Y := K V, both width x (this rank's samples). Collective. @throws CollectiveError(memory), (stopped).
  /// Cost: 2 width N^2 flops over all ranks, and those of store() if the tiles are not stored. Memory per rank:
  /// sizeof(T) width N / P for each thread and five more, a tile a thread and the visiting samples if not stored.
  void operator()(MatrixView<const double> v, MatrixView<double> y) const;

 private:
  struct Visitor;
  struct Workspace;
  /// Which of this rank's rows the visitor's columns are multiplied with.
  struct Meeting {
    int step = 0;
    Range rows;
    Range cols;
    [[nodiscard]] bool self() const noexcept { return step == 0; }
  };
  /// Stored tiles: some rows and all their columns, column-major, each column at the start of a cache line.
  struct Strip {
    Range rows;
    Range cols;
    CacheLines<T> data;
    [[nodiscard]] MatrixView<T> view() const noexcept {
      return {data.get(), rows.size(), cols.size(), whole_lines<T>(rows.size())};
    }
  };
  [[nodiscard]] Range share(int rank) const;
  template <class Visit>
  void tour(bool with_samples, std::vector<T> v, std::int64_t width, const Visit& visit) const;
  void store_strips(const Meeting& meeting, const BasicSamples<T>& visitor, const Progress& progress);
  void multiply(const Meeting& meeting, const Visitor& visitor, MatrixView<const T> v, MatrixView<T> y,
                std::vector<T>& back, Workspace& workspace) const;

  const Kernel& kernel_;
  const BasicSamples<T>& own_;
  const Communicator& comm_;
  std::int64_t samples_;
  std::int64_t group_;
  std::vector<std::vector<Strip>> strips_;  // of each meeting
};

extern template class KernelProduct<double>;
extern template class KernelProduct<float>;

}  // namespace stepwise
