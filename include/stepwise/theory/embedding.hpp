#pragma once

#include <functional>
#include <vector>

#include "stepwise/dist/block_vector.hpp"
#include "stepwise/kernel/evaluate.hpp"
#include "stepwise/theory/contrastive.hpp"

namespace stepwise {

/// The closed-form final embedding (Prop. 5.1, top spectral solution with U = I), samples dealt out over the ranks.
/// Signs: in every mode the training sample with the largest |f_j| is positive; among those equal to one part in a
/// million, the one with the lowest number.
struct Embedding {
  std::vector<double> gamma;  ///< d
  BlockVector dual;           ///< a_ij, N samples x d
  BlockVector train;          ///< f_j(x_i) = gamma_j^{-1/2} (K a_j)_i, N samples x d
  Pairing pairing = {};
  /// What embed() adds to f_j(x) for x of each kind, kinds x d; empty where the kernel is not centred.
  std::vector<std::vector<double>> offsets = {};
};

/// From the modes. Collective. Memory per rank: 16 N d / P bytes.
[[nodiscard]] Embedding training_embedding(const ContrastiveModes& modes, const Communicator& comm);

/// Embeds new samples without any inverse: f_j(x) = (1 / (c gamma_j)) sum_i (B f_j)_i k(x_i, x), for two views
/// (1 / (N gamma_j)) sum_i [ f_j(x'_i) k(x, x_i) + f_j(x_i) k(x, x'_i) ].
///
/// `train` holds this rank's own training samples (embedding.train.range); `read_batch` gives samples [begin, end) of
/// the new ones, all of kind `kind` where the kernel is centred (theory/centring.hpp), and is called with the same
/// ranges on every rank, but may fail on one alone. Returns d x count, dealt out by sample, groups of `group` together.
/// Collective. @throws CollectiveError with read_batch's problem, (stopped). Cost: count N kernel evaluations over all ranks, and
/// one reduction of d x batch numbers for each batch. Memory per rank: a batch of samples, a batch x N / P tile, and
/// the result's share.
[[nodiscard]] BlockVector embed(const Kernel& kernel, const Embedding& embedding, const Samples& train,
                                const Communicator& comm, std::int64_t count,
                                const std::function<Samples(Range)>& read_batch, std::int64_t group = 1,
                                std::size_t kind = 0);

/// max |C - I| with C = (1/c) F B F^T of the training embedding: zero in exact arithmetic. Collective.
[[nodiscard]] double whiteness_error(const Embedding& embedding, const Communicator& comm);

}  // namespace stepwise
