#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stepwise/dist/block_vector.hpp"
#include "stepwise/dist/dist_matrix.hpp"
#include "stepwise/dist/pairing.hpp"
#include "stepwise/theory/probe.hpp"

namespace stepwise {

// Judging embeddings of labelled samples that are dealt out over the ranks. Classes are numbers from 0.

/// Embeddings with the classes of this rank's samples, -1 for a class that training does not know.
struct LabelledSamples {
  BlockVector features;               ///< d x samples
  std::vector<std::int64_t> classes;  ///< of features.range
};

/// What probes are trained on: samples numbered group by group (the views of a pair), and how they are told apart for
/// cross-validation: group i is in fold i mod folds.
struct ProbeSamples {
  const Communicator& comm;
  const LabelledSamples& train;
  const LabelledSamples& test;
  std::int64_t class_count = 0;
  std::int64_t group = 1;
  std::int64_t folds = 5;
};

/// Sums over all training samples, and over those of each fold, about their mean; the same on every rank.
struct FoldMoments {
  LabelMoments all;
  std::vector<LabelMoments> folds;
};

/// Collective. @throws CollectiveError(input) when a feature is not finite. Cost: N d^2 flops over all ranks.
[[nodiscard]] FoldMoments fold_moments(const ProbeSamples& samples);

/// A penalty chosen by cross-validation: penalty = the relative one x `scale`.
struct PenaltyPath {
  double scale = 1;
  std::vector<double> validation;  ///< accuracy for each penalty on the folds left out
  std::size_t chosen = 0;          ///< that of the highest accuracy, the largest penalty among equals
};

struct RidgeProbe {
  PenaltyPath path;           ///< scale: mean eigenvalue of the features' centred Gram matrix
  std::vector<double> tests;  ///< accuracy on the test samples for each penalty, trained on all training samples
};

/// Ridge probe on the leading features (one for each scale) times their scales, with ascending relative penalties.
/// Collective. Cost: folds k^3 / 3 flops a penalty on every rank, 2 k classes a penalty for every sample.
[[nodiscard]] RidgeProbe ridge_probe(const ProbeSamples& samples, const FoldMoments& moments,
                                     std::span<const double> scales, std::span<const double> penalties);

/// Test accuracies of the vote of the nearest neighbours, for each number of leading features.
struct NeighbourAccuracy {
  std::vector<double> euclidean;
  std::vector<double> cosine;
};

/// k nearest neighbours among the training samples, by Euclidean and by cosine distance of features times scales.
/// `leading` are ascending numbers of features. Every neighbour has one vote; of classes with equally many the first is
/// predicted; of samples equally far the one with the lowest number is nearer. A vector of zeros has cosine 0 with all.
/// Collective. @throws CollectiveError(stopped). Cost: about 4 d flops for every test and training sample, over all
/// ranks. Memory per rank: the largest rank's training samples, and `numbers` neighbours.
[[nodiscard]] NeighbourAccuracy neighbour_accuracy(const ProbeSamples& samples, std::int64_t neighbours,
                                                   std::span<const double> scales,
                                                   std::span<const std::int64_t> leading,
                                                   std::int64_t numbers = std::int64_t{1} << 22);

/// Kernel ridge regression of the classes, one against the rest (targets 1 and -1), without intercept, as
/// scikit-learn's KernelRidge: scores of x are sum_i dual_ic k(x_i, x).
struct KernelRidge {
  PenaltyPath path;  ///< scale: mean eigenvalue of K; validation leaves out one group at a time, exactly
  BlockVector dual;  ///< classes x samples, for the chosen penalty
};

/// `k`: kernel matrix of the training samples, whose blocks are multiples of samples.group. With K = Q Lambda Q^T,
/// G = Q (Lambda + p)^-1 Q^T and C = G Y, the residual of a group B that is left out is G_BB^-1 C_B.
/// Collective. @throws CollectiveError as largest_eigenpairs. Cost: one eigensolve with all vectors, then N^2 (group +
/// classes) flops a penalty over all ranks. Memory per rank: that of the eigensolve.
[[nodiscard]] KernelRidge kernel_ridge(const DistMatrix& k, const ProbeSamples& samples,
                                       std::span<const double> penalties);

/// Share of the samples whose highest score is that of their class, the first of equals. Collective.
[[nodiscard]] double accuracy_of_scores(const Communicator& comm, const BlockVector& scores,
                                        std::span<const std::int64_t> classes);

}  // namespace stepwise
