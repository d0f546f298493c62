#pragma once

#include <cstdint>
#include <vector>

#include "stepwise/dist/block_vector.hpp"
#include "stepwise/solve/eigensolver.hpp"

namespace stepwise {

/// Kernel regression by gradient flow in the eigenvectors v_i of K, seen on its N training samples: with the loss
/// 1/(2N) |f - y|^2 the residual along v_i decays as e^{-lambda_i t / N}, from the start and without any plateau.
struct SupervisedModes {
  std::vector<double> lambda;     ///< N: eigenvalues of K, descending
  std::vector<double> alignment;  ///< N: |v_i . y|^2, summed over the outputs; together |y|^2
  std::vector<double> residual;   ///< outputs x N, column-major: v_i . (f_0 - y)
  BlockVector vectors;            ///< v_i of this rank's samples, N numbers each
};

/// From all eigenpairs of K, f_0 and y, dealt out alike, `group` samples together. Collective. Cost: 4 N^2 flops for
/// each output. Memory per rank: 8 N^2 / P bytes. @throws CollectiveError(memory).
[[nodiscard]] SupervisedModes supervised_modes(const Eigenpairs& k, const BlockVector& f0, const BlockVector& y,
                                               const Communicator& comm, std::int64_t group);

/// What is left of each residual at time t of gradient flow, e^{-lambda_i t / N}, or after so many steps of descent,
/// (1 - rate lambda_i / N)^steps.
[[nodiscard]] std::vector<double> flow_decay(const SupervisedModes& modes, double t);
[[nodiscard]] std::vector<double> descent_decay(const SupervisedModes& modes, double rate, std::int64_t steps);

/// 1/(2N) sum_i decay_i^2 |v_i . (f_0 - y)|^2.
[[nodiscard]] double supervised_loss(const SupervisedModes& modes, const std::vector<double>& decay);

/// f = y + sum_i v_i decay_i v_i . (f_0 - y) on this rank's samples. Local.
[[nodiscard]] BlockVector supervised_outputs(const SupervisedModes& modes, const BlockVector& y,
                                             const std::vector<double>& decay);

/// decay_i |v_i . (f_0 - y)| of the first `count` eigenvectors, over all outputs.
[[nodiscard]] std::vector<double> supervised_residuals(const SupervisedModes& modes, const std::vector<double>& decay,
                                                       std::int64_t count);

/// |v_i . (f - y)| of the first `count` eigenvectors, over all outputs. Collective.
[[nodiscard]] std::vector<double> residuals_along(const SupervisedModes& modes, const BlockVector& f,
                                                  const BlockVector& y, std::int64_t count, const Communicator& comm);

/// What a bound of the generalisation error says (Arora et al. 2019): sqrt(2 y^T K^{-1} y / N), over the eigenvalues
/// above `floor`, and the part of |y|^2 that the others have, which no training reaches.
struct Complexity {
  double value = 0;
  double unreachable = 0;
};
[[nodiscard]] Complexity complexity(const SupervisedModes& modes, double floor);

}  // namespace stepwise
