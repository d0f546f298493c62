#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/core/matrix_view.hpp"
#include "stepwise/kernel/kernel_product.hpp"
#include "stepwise/sim/perceptron.hpp"

namespace stepwise {

/// A symmetric N x N matrix over samples dealt out as those are: this data rank's rows, own x N column-major.
/// Memory per rank: 8 N^2 / (data ranks) bytes.
struct SampleMatrix {
  std::int64_t samples = 0;  ///< N
  Range own;
  std::vector<double> rows;

  [[nodiscard]] MatrixView<const double> view() const noexcept {
    return {rows.data(), own.size(), samples, own.size()};
  }
};

/// The network's own tangent kernel, the mean over outputs (1/d) sum_k grad f_k(x) . R grad f_k(y), R the layers'
/// rates: of layer l (r h.h' + r_b) (1/d) sum_k d_k . d'_k, h entering it and d_k = df_k / dz_l. Of samples x (m x this
/// data rank's). Collective. Cost: 2 N^2 M (d + 1) flops a layer over all ranks; every data rank receives all ranks'
/// signals. Memory meanwhile: 8 M d N / P bytes a layer.
[[nodiscard]] SampleMatrix tangent_kernel(const TrainedNetwork& network, const TrainingGrid& grid,
                                          MatrixView<const double> x);

/// (1/N) (h_s - mean) . (h_t - mean) of the last hidden layer (of the inputs without one): its nonzero spectrum is that
/// of the representation's covariance. Collective.
[[nodiscard]] SampleMatrix hidden_covariance(const TrainedNetwork& network, const TrainingGrid& grid,
                                             MatrixView<const double> x);

/// Fewer of this rank's rows. Local.
[[nodiscard]] SampleMatrix rows_of(const SampleMatrix& matrix, Range own);

/// ||now - start||_F / ||start||_F. Collective over `data`.
[[nodiscard]] double relative_change(const SampleMatrix& now, const SampleMatrix& start, const Communicator& data);

/// V -> K V; keeps references. Each call is collective over `data`, the
/// communicator over whose ranks the rows are dealt out.
[[nodiscard]] ProductWithK product_with(const SampleMatrix& matrix, const Communicator& data);

/// All of it, column-major, on every rank. Collective over `data`.
[[nodiscard]] std::vector<double> whole(const SampleMatrix& matrix, const Communicator& data);

}  // namespace stepwise
