#include "stepwise/dist/block_vector.hpp"

#include <algorithm>

#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

/// How many numbers each of the other ranks gets from, or gives to, one side of the exchange, and where they start.
struct Exchange {
  explicit Exchange(std::size_t ranks) : counts(ranks), offsets(ranks) {}
  void set(int rank, std::int64_t count) {
    counts[static_cast<std::size_t>(rank)] = narrow(count, "the number of values sent to one rank");
    offsets[static_cast<std::size_t>(rank)] = narrow(total, "the number of values sent in one exchange");
    total += count;
  }
  std::vector<int> counts;
  std::vector<int> offsets;
  std::int64_t total = 0;
};

}  // namespace

Range sample_share(const Communicator& comm, std::int64_t samples, std::int64_t group, int rank) {
  const Range groups = even_share(samples / group, comm.size(), rank);
  return {groups.begin * group, groups.end * group};
}

Range sample_share(const Communicator& comm, std::int64_t samples, std::int64_t group) {
  return sample_share(comm, samples, group, comm.rank());
}

BlockVector make_block_vector(const Communicator& comm, std::int64_t samples, std::int64_t width, std::int64_t group) {
  BlockVector v{samples, width, sample_share(comm, samples, group), {}};
  v.data.resize(static_cast<std::size_t>(width * v.range.size()));
  return v;
}

std::vector<double> dots(const Communicator& comm, const BlockVector& u, const BlockVector& v) {
  std::vector<double> products(static_cast<std::size_t>(u.width));
  for (std::int64_t s = 0; s < u.range.size(); ++s) {
    for (std::int64_t j = 0; j < u.width; ++j) {
      products[static_cast<std::size_t>(j)] += u.local()(j, s) * v.local()(j, s);
    }
  }
  sum(comm, products);
  return products;
}

void scale_vectors(BlockVector& v, const std::vector<double>& factors) {
  const auto local = v.local();
  for (std::int64_t s = 0; s < local.cols; ++s) {
    for (std::int64_t j = 0; j < local.rows; ++j) local(j, s) *= factors[static_cast<std::size_t>(j)];
  }
}

namespace {

/// Some columns of the matrix, which are whole blocks, to the ranks that have the samples.
void exchange_columns(const DistMatrix& matrix, std::int64_t group, Range columns, BlockVector& result) {
  const Communicator& comm = matrix.comm();
  const auto& rows = matrix.row_map();
  const auto& cols = matrix.col_map();
  const GridShape shape = matrix.grid().shape();
  const auto ranks = static_cast<std::size_t>(comm.size());
  const auto local = matrix.local();
  const auto part = [&](std::int64_t col) {
    return Range{cols.first_at_least(columns.begin, col), cols.first_at_least(columns.end, col)};
  };
  const Range own_cols = part(matrix.grid().col());

  Exchange out(ranks);
  Exchange in(ranks);
  std::vector<double> sent;
  std::vector<double> received;
  attempt(comm, [&] {
    for (int rank = 0; rank < comm.size(); ++rank) {
      const Range target = sample_share(comm, matrix.rows(), group, rank);
      out.set(rank, own_cols.size() * (rows.first_at_least(target.end, matrix.grid().row()) -
                                       rows.first_at_least(target.begin, matrix.grid().row())));
      const std::int64_t their_row = rank / shape.cols;
      in.set(rank, part(rank % shape.cols).size() * (rows.first_at_least(result.range.end, their_row) -
                                                     rows.first_at_least(result.range.begin, their_row)));
    }
    // Local rows ascend, and so do the ranges of the ranks: packing row by row sorts by target.
    sent.reserve(static_cast<std::size_t>(out.total));
    for (std::int64_t i = 0; i < local.rows; ++i) {
      for (std::int64_t j = own_cols.begin; j < own_cols.end; ++j) sent.push_back(local(i, j));
    }
    received.resize(static_cast<std::size_t>(in.total));
  });
  MPI_Alltoallv(sent.data(), out.counts.data(), out.offsets.data(), MPI_DOUBLE, received.data(), in.counts.data(),
                in.offsets.data(), MPI_DOUBLE, comm.raw());

  const auto target = result.local();
  const double* next = received.data();
  for (int rank = 0; rank < comm.size(); ++rank) {
    const std::int64_t their_row = rank / shape.cols;
    const std::int64_t their_col = rank % shape.cols;
    const Range their_cols = part(their_col);
    const std::int64_t end = rows.first_at_least(result.range.end, their_row);
    for (std::int64_t i = rows.first_at_least(result.range.begin, their_row); i < end; ++i) {
      const std::int64_t sample = value(rows.to_global(Local{i}, their_row)) - result.range.begin;
      for (std::int64_t j = their_cols.begin; j < their_cols.end; ++j) {
        target(value(cols.to_global(Local{j}, their_col)), sample) = *next++;
      }
    }
  }
}

}  // namespace

BlockVector to_block_vector(const DistMatrix& matrix, std::int64_t group, std::int64_t numbers) {
  const Communicator& comm = matrix.comm();
  BlockVector result;
  attempt(comm, [&] { result = make_block_vector(comm, matrix.rows(), matrix.cols(), group); });
  // On every rank: its rows of the matrix by its part of the columns, and its samples by all of them.
  const std::int64_t tallest = std::max<std::int64_t>(ceil_div(matrix.rows(), comm.size()) + group, 1);
  const std::int64_t round = matrix.block() * matrix.grid().shape().cols;
  const std::int64_t width = std::max(numbers / tallest / round, std::int64_t{1}) * round;
  for (std::int64_t begin = 0; begin < matrix.cols(); begin += width) {
    exchange_columns(matrix, group, {begin, std::min(begin + width, matrix.cols())}, result);
  }
  return result;
}

}  // namespace stepwise
