#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "stepwise/core/matrix_view.hpp"
#include "stepwise/dist/communicator.hpp"
#include "stepwise/dist/pairing.hpp"

namespace stepwise {

// Losses of the embeddings F (d x N, samples numbered group by group, n groups of V views) of a batch, as values. With
// more than two views those that compare two of them are means over all pairs of views v < w of a group.

/// ||C - I||^2 with C = F B F^T / (N (V - 1)): the paper's, eq. 1.
struct SimplifiedBarlowTwins {};

/// sum_i (1 - C_ii)^2 + off_diagonal sum_{i != j} C_ij^2, C = Z_v Z_w^T / n, each output of each view having mean 0 and
/// variance 1 over the batch, variance + epsilon in the denominator (Zbontar et al. 2021).
struct BarlowTwins {
  double off_diagonal = 5e-3;
  double epsilon = 1e-5;
};

/// NT-Xent: the mean over samples i and other views j of the same group of -log(e_ij / sum_{k != i} e_ik), with
/// e_ij = exp(cos(f_i, f_j) / temperature) (Chen et al. 2020).
struct SimClr {
  double temperature = 0.5;
};

/// invariance s + variance (v + v') + covariance (c + c') with s = sum_i |f_i - f'_i|^2 / n,
/// v = sum_j max(0, target - sqrt(var_j + epsilon)) / d and c = sum_{i != j} cov_ij^2 / d, both over n - 1
/// (Bardes et al. 2022, eq. 6).
struct VicReg {
  double invariance = 25;
  double variance = 25;
  double covariance = 1;
  double target = 1;
  double epsilon = 1e-4;
};

/// -2 E[f . f+] + E[(f . f-)^2], f+ another view of f's group, f- any view of another group (HaoChen et al. 2021).
struct SpectralContrastive {};

using PairLoss = std::variant<SimplifiedBarlowTwins, BarlowTwins, SimClr, VicReg, SpectralContrastive>;

/// The loss of a batch dealt out over `comm`, whole groups to a rank, `f` being this rank's columns; `gradient`, as
/// large, becomes dL/dF. Equal on all ranks. Collective: one or two small reductions, for SimClr all F on every rank.
/// Cost: O(d^2 N / P), SimClr O(d N^2 / P).
[[nodiscard]] double evaluate(const PairLoss& loss, MatrixView<const double> f, const Pairing& pairing,
                              const Communicator& comm, MatrixView<double> gradient);

/// C = F B F^T / (N (V - 1)), d x d. Equal on all ranks. Collective: one small reduction.
[[nodiscard]] std::vector<double> pair_correlation(MatrixView<const double> f, const Pairing& pairing,
                                                   const Communicator& comm);
/// (1/N) sum_s (f_s - mean)(f_s - mean)^T, d x d. Equal on all ranks. Collective: two small reductions.
[[nodiscard]] std::vector<double> sample_covariance(MatrixView<const double> f, const Communicator& comm);

/// The fewest groups a batch can have: 2 where the loss compares groups, else 1.
[[nodiscard]] std::int64_t fewest_groups(const PairLoss& loss);

/// @throws Error(input) naming the parameter out of range.
void validate(const PairLoss& loss);

}  // namespace stepwise
