#include "stepwise/dist/block_product.hpp"

#include <algorithm>

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/block_vector.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

/// Numbers to or from each rank, `width` for each sample.
struct Counts {
  Counts(const std::vector<std::int64_t>& samples, std::int64_t width) {
    std::int64_t total = 0;
    for (const std::int64_t count : samples) {
      counts.push_back(narrow(count * width, "the number of values exchanged with one rank"));
      offsets.push_back(narrow(total, "the number of values in one exchange"));
      total += count * width;
    }
  }
  std::vector<int> counts;
  std::vector<int> offsets;
};

void exchange(const Communicator& comm, const std::vector<double>& sent, const Counts& out,
              std::vector<double>& received, const Counts& in) {
  MPI_Alltoallv(sent.data(), out.counts.data(), out.offsets.data(), MPI_DOUBLE, received.data(), in.counts.data(),
                in.offsets.data(), MPI_DOUBLE, comm.raw());
}

std::size_t numbers(std::int64_t samples, std::int64_t width) {
  return static_cast<std::size_t>(samples * width);
}

}  // namespace

BlockProduct::BlockProduct(const DistMatrix& a, std::int64_t group)
    : a_(a), own_(sample_share(a.comm(), a.rows(), group)) {
  const GridShape shape = a.grid().shape();
  const auto add = [](Plan& plan, std::int64_t count) {
    plan.counts.push_back(count);
    plan.total += count;
  };
  const auto inside = [](const BlockCyclic& map, int proc, Range samples) {
    return map.first_at_least(samples.end, proc) - map.first_at_least(samples.begin, proc);
  };
  for (int rank = 0; rank < a.comm().size(); ++rank) {
    const Range theirs = sample_share(a.comm(), a.rows(), group, rank);
    add(send_to_cols_, inside(a.col_map(), rank % shape.cols, own_));
    add(from_shares_, inside(a.col_map(), a.grid().col(), theirs));
    add(to_shares_, inside(a.row_map(), a.grid().row(), theirs));
    add(from_rows_, inside(a.row_map(), rank / shape.cols, own_));
  }
}

void BlockProduct::operator()(MatrixView<const double> v, MatrixView<double> y) const {
  const Communicator& comm = a_.comm();
  const GridShape shape = a_.grid().shape();
  const auto local = a_.local();
  const std::int64_t width = v.rows;
  std::vector<double> sent;
  std::vector<double> columns;
  std::vector<double> partial;
  std::vector<double> received;
  const auto [out, in, back_out, back_in] = attempt(comm, [&] {
    sent.reserve(numbers(std::max(send_to_cols_.total, local.rows), width));
    columns.resize(numbers(local.cols, width));
    partial.resize(numbers(local.rows, width));
    received.resize(numbers(from_rows_.total, width));
    return std::tuple(Counts(send_to_cols_.counts, width), Counts(from_shares_.counts, width),
                      Counts(to_shares_.counts, width), Counts(from_rows_.counts, width));
  });

  // Local columns ascend and so do the ranks' shares, so what arrives in the order of the ranks is in local order.
  for (int rank = 0; rank < comm.size(); ++rank) {
    const int col = rank % shape.cols;
    const std::int64_t end = a_.col_map().first_at_least(own_.end, col);
    for (std::int64_t l = a_.col_map().first_at_least(own_.begin, col); l < end; ++l) {
      const double* sample = v.column(value(a_.col_map().to_global(Local{l}, col)) - own_.begin);
      sent.insert(sent.end(), sample, sample + width);
    }
  }
  exchange(comm, sent, out, columns, in);
  // A stands first: BLAS kernels are up to twice as fast with the large matrix there.
  gemm(1, Transpose::no, local, Transpose::yes, {columns.data(), width, local.cols, width}, 0,
       {partial.data(), local.rows, width, std::max(local.rows, std::int64_t{1})});
  sent.resize(partial.size());
  for (std::int64_t i = 0; i < local.rows; ++i) {
    for (std::int64_t j = 0; j < width; ++j) {
      sent[static_cast<std::size_t>(i * width + j)] = partial[static_cast<std::size_t>(j * local.rows + i)];
    }
  }
  exchange(comm, sent, back_out, received, back_in);

  for (std::int64_t s = 0; s < y.cols; ++s) std::fill_n(y.column(s), width, 0.0);
  const double* next = received.data();
  for (int rank = 0; rank < comm.size(); ++rank) {
    const int row = rank / shape.cols;
    const std::int64_t end = a_.row_map().first_at_least(own_.end, row);
    for (std::int64_t l = a_.row_map().first_at_least(own_.begin, row); l < end; ++l, next += width) {
      double* sample = y.column(value(a_.row_map().to_global(Local{l}, row)) - own_.begin);
      for (std::int64_t j = 0; j < width; ++j) sample[j] += next[j];
    }
  }
}

}  // namespace stepwise
