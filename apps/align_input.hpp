#pragma once

#include <string>
#include <vector>

#include "stepwise/data/stored_matrix.hpp"
#include "stepwise/dist/block_vector.hpp"
#include "stepwise/dist/communicator.hpp"
#include "stepwise/theory/subspace.hpp"

namespace stepwise {

/// Where the embeddings of samples are in files of stepwise.
inline const std::vector<std::string> embedding_datasets{"/embeddings/train", "/embeddings/new"};

/// Opens embeddings on every rank. Collective. @throws CollectiveError(input), also for more dimensions than samples.
[[nodiscard]] SampleRows open_embeddings(const Communicator& comm, const std::string& path);

/// Reads this rank's share of the samples. Collective. @throws CollectiveError(input) for NaN and Inf, naming the
/// sample.
[[nodiscard]] BlockVector read_embeddings(const Communicator& comm, const StoredMatrix& matrix);

/// The leading `count` eigenvectors of a stored kernel matrix. Collective. @throws CollectiveError(input) when it is
/// not symmetric, of other than `samples` samples, (numerical). Memory per rank: 5.6 x 8 N^2 / P bytes.
[[nodiscard]] SubspaceBasis kernel_eigenvectors(const Communicator& comm, const std::string& path, std::int64_t samples,
                                                std::int64_t count);

}  // namespace stepwise
