#include "stepwise/kernel/recomputed_product.hpp"

#include <algorithm>
#include <array>
#include <utility>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t tile = 256;

int thread_count() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

int thread_number() {
#ifdef _OPENMP
  return omp_get_thread_num();
#else
  return 0;
#endif
}

/// Messages are counted in samples: numbers alone may be more than 2^31.
class SampleType {
 public:
  explicit SampleType(std::int64_t numbers) {
    MPI_Type_contiguous(narrow(numbers, "numbers in a sample"), MPI_DOUBLE, &type_);
    MPI_Type_commit(&type_);
  }
  SampleType(const SampleType&) = delete;
  SampleType& operator=(const SampleType&) = delete;
  ~SampleType() { MPI_Type_free(&type_); }
  [[nodiscard]] MPI_Datatype raw() const noexcept { return type_; }

 private:
  MPI_Datatype type_ = MPI_DATATYPE_NULL;
};

/// Messages on their way. Whoever leaves, even by an exception, waits for them first: all ranks leave together, so all
/// of them arrive, and the buffers live until then.
struct Messages {
  Messages() { requests.fill(MPI_REQUEST_NULL); }
  Messages(const Messages&) = delete;
  Messages& operator=(const Messages&) = delete;
  ~Messages() { wait(); }
  void wait() { MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE); }
  std::array<MPI_Request, 6> requests{};
};

}  // namespace

/// Another rank's samples and its part of V.
struct RecomputedProduct::Visitor {
  Samples samples;
  std::vector<double> v;

  void resize(std::int64_t features, std::int64_t count, std::int64_t width) {
    samples.features = features;
    samples.count = count;
    samples.data.resize(static_cast<std::size_t>(features * count));
    samples.squared_norms.resize(static_cast<std::size_t>(count));
    v.resize(static_cast<std::size_t>(width * count));
  }
};

RecomputedProduct::RecomputedProduct(const Kernel& kernel, const Samples& own, const Communicator& comm,
                                     std::int64_t samples, std::int64_t group, Progress progress)
    : kernel_(kernel), own_(own), comm_(comm), samples_(samples), group_(group), progress_(std::move(progress)) {}

Range RecomputedProduct::share(int rank) const {
  return sample_share(comm_, samples_, group_, rank);
}

/// Adds what own_rows of this rank's samples and visitor_rows of the visitor's have to do with each other: to y, and to
/// `back` for the visitor. With oneself (`self`) the tiles on and below the diagonal do, and `back` is also this
/// rank's.
void RecomputedProduct::meet(const Visitor& visitor, Range own_rows, Range visitor_rows, bool self,
                             MatrixView<const double> v, MatrixView<double> y, std::vector<double>& back) const {
  const std::int64_t width = v.rows;
  const std::int64_t count = visitor.samples.count;
  const auto threads = static_cast<std::size_t>(thread_count());
  std::vector<std::vector<double>> returns(threads);
  std::vector<std::vector<double>> entries(threads);
  const std::int64_t row_tiles = ceil_div(own_rows.size(), tile);
  attempt(comm_, [&] {
    for (auto& part : returns) part.resize(static_cast<std::size_t>(width * count));
    for (auto& part : entries) part.resize(static_cast<std::size_t>(tile * tile));
  });
  const MatrixView<const double> theirs{visitor.v.data(), width, count, width};
  // Tiles of one row belong to one thread, so nobody else writes to its part of y; the order of sums is fixed.
#pragma omp parallel for schedule(static, 1)
  for (std::int64_t t = 0; t < row_tiles; ++t) {
    const auto thread = static_cast<std::size_t>(thread_number());
    const Range rows{own_rows.begin + t * tile, std::min(own_rows.begin + (t + 1) * tile, own_rows.end)};
    const MatrixView<double> returned{returns[thread].data(), width, count, width};
    const std::int64_t end = self ? rows.end : visitor_rows.end;
    for (std::int64_t col = visitor_rows.begin; col < end; col += tile) {
      const Range cols{col, std::min(col + tile, end)};
      const MatrixView<double> k{entries[thread].data(), rows.size(), cols.size(), rows.size()};
      evaluate(kernel_, own_, rows, visitor.samples, cols, k);
      gemm(1, Transpose::no, theirs.block(0, cols.begin, width, cols.size()), Transpose::yes, k, 1,
           y.block(0, rows.begin, width, rows.size()));
      if (self && cols.begin == rows.begin) continue;  // a diagonal tile has one place only
      gemm(1, Transpose::no, v.block(0, rows.begin, width, rows.size()), Transpose::no, k, 1,
           returned.block(0, cols.begin, width, cols.size()));
    }
  }
  std::fill(back.begin(), back.end(), 0.0);
  for (const auto& part : returns) {
    for (std::size_t i = 0; i < part.size(); ++i) back[i] += part[i];
  }
}

void RecomputedProduct::operator()(MatrixView<const double> v, MatrixView<double> y) const {
  const int ranks = comm_.size();
  const int rank = comm_.rank();
  const std::int64_t width = v.rows;
  const std::int64_t features = own_.features;
  Visitor here;
  Visitor next;
  std::vector<double> back;
  std::vector<double> received;
  attempt(comm_, [&] {
    here.samples = own_;
    here.resize(features, own_.count, width);
    for (std::int64_t s = 0; s < v.cols; ++s) std::copy_n(v.column(s), width, here.v.data() + s * width);
    received.resize(static_cast<std::size_t>(width * own_.count));
  });
  for (std::int64_t s = 0; s < y.cols; ++s) std::fill_n(y.column(s), width, 0.0);
  const auto add = [&](const std::vector<double>& part) {
    for (std::int64_t s = 0; s < y.cols; ++s) {
      for (std::int64_t j = 0; j < width; ++j) y(j, s) += part[static_cast<std::size_t>(s * width + j)];
    }
  };
  const SampleType data_type(features);
  const SampleType vector_type(width);

  const int steps = ranks / 2 + 1;
  for (int step = 0; step < steps; ++step) {
    const int partner = (rank + step) % ranks;
    const bool more = step + 1 < steps;
    if (more) attempt(comm_, [&] { next.resize(features, share((partner + 1) % ranks).size(), width); });
    Messages messages;
    if (more) {
      const int ahead = (rank + 1) % ranks;
      const int behind = (rank + ranks - 1) % ranks;
      const auto count = [](const Visitor& visitor) { return narrow(visitor.samples.count, "samples on one rank"); };
      MPI_Irecv(next.samples.data.data(), count(next), data_type.raw(), ahead, 0, comm_.raw(), &messages.requests[0]);
      MPI_Irecv(next.samples.squared_norms.data(), count(next), MPI_DOUBLE, ahead, 1, comm_.raw(),
                &messages.requests[1]);
      MPI_Irecv(next.v.data(), count(next), vector_type.raw(), ahead, 2, comm_.raw(), &messages.requests[2]);
      MPI_Isend(here.samples.data.data(), count(here), data_type.raw(), behind, 0, comm_.raw(), &messages.requests[3]);
      MPI_Isend(here.samples.squared_norms.data(), count(here), MPI_DOUBLE, behind, 1, comm_.raw(),
                &messages.requests[4]);
      MPI_Isend(here.v.data(), count(here), vector_type.raw(), behind, 2, comm_.raw(), &messages.requests[5]);
    }
    Range own_rows{0, own_.count};
    Range visitor_rows{0, here.samples.count};
    // In the middle both meet each other: the lower rank's first half is the lower rank's work.
    if (step > 0 && 2 * step == ranks) {
      if (rank < partner) own_rows.end = own_.count / 2;
      if (rank > partner) visitor_rows.begin = here.samples.count / 2;
    }
    attempt(comm_, [&] { back.resize(static_cast<std::size_t>(width * here.samples.count)); });
    meet(here, own_rows, visitor_rows, step == 0, v, y, back);
    if (step == 0) {
      add(back);
    } else {
      const int other = (rank + ranks - step) % ranks;
      MPI_Sendrecv(back.data(), narrow(here.samples.count, "samples on one rank"), vector_type.raw(), partner, 3,
                   received.data(), narrow(own_.count, "samples on one rank"), vector_type.raw(), other, 3, comm_.raw(),
                   MPI_STATUS_IGNORE);
      add(received);
    }
    messages.wait();
    std::swap(here, next);
    if (progress_) progress_(static_cast<double>(step + 1) / steps);
  }
}

}  // namespace stepwise
