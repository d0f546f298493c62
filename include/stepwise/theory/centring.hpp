#pragma once

#include "stepwise/dist/block_vector.hpp"
#include "stepwise/dist/dist_matrix.hpp"
#include "stepwise/kernel/samples.hpp"
#include "stepwise/theory/contrastive.hpp"

namespace stepwise {

/// Features from which their mean over the training samples is subtracted: K -> (I - J) K (I - J), J averaging over all
/// samples of the same kind. Sample i is of kind i mod kinds: one kind as a rule, two for two modalities, whose means
/// have nothing to do with each other.
///
/// With B and K centred, T a = gamma a has sum_i a_i = 0 over each kind, so new samples need only the row means
/// m_i^q = mean over the samples k of kind q of k(x_i, x_k): for x of kind q
/// f_j(x) = gamma_j^{-1/2} sum_i a_ij k(x_i, x) - gamma_j^{-1/2} sum_i a_ij m_i^q, an offset for each mode and kind.
struct Centring {
  std::int64_t kinds = 1;
};

/// V <- (I - J) V. Collective. Cost: one reduction of width x kinds numbers.
void centre(const Centring& centring, const Communicator& comm, std::int64_t samples, MatrixView<double> v,
            std::int64_t first);
inline void centre(const Centring& centring, const Communicator& comm, BlockVector& v) {
  centre(centring, comm, v.samples, v.local(), v.range.begin);
}

/// K <- (I - J) K (I - J), symmetric to the bit if K is; returns the row means m_i^q before, `kinds` numbers a sample,
/// dealt out in groups of `group`. Collective. Cost: 2 N^2 / P additions a rank. Memory per rank: 8 N kinds bytes.
BlockVector centre(const Centring& centring, DistMatrix& k, std::int64_t group);

/// Explicit features: subtracts their mean, and returns the row means of the inner products before. For one kind.
/// Collective. Cost: 4 N m / P operations a rank.
BlockVector centre(const Communicator& comm, Samples& own, std::int64_t samples, std::int64_t group);

/// The product with (I - J) K (I - J), from the one with K.
[[nodiscard]] ProductWithK centred(const Centring& centring, const Communicator& comm, std::int64_t samples,
                                   std::int64_t group, ProductWithK kernel);

/// The row means m_i^q of K, from one product with as many vectors as there are kinds. Collective.
[[nodiscard]] BlockVector row_means(const Centring& centring, const Communicator& comm, std::int64_t samples,
                                    std::int64_t group, const ProductWithK& kernel);

/// What sum_i w_ij k(x_i, x) lacks for x of each kind, -sum_i w_ij m_i^q: kinds x width, for weights that add up to
/// zero over each kind. Collective.
[[nodiscard]] std::vector<std::vector<double>> centring_offsets(const BlockVector& weights, const BlockVector& means,
                                                                const Communicator& comm);

/// The mean pair kernel after centring, from that before and the row means: views of the same thing are of the same
/// kind, or there are two views of two kinds. Collective.
[[nodiscard]] double centred_mean_pair_kernel(double before, const BlockVector& means, const Communicator& comm);

}  // namespace stepwise
