#include "stepwise/kernel/kernel_product.hpp"

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

// Fits the second-level cache in single precision; long enough for a GEMM with few vectors (docs/performance.md).
constexpr std::int64_t tile_rows = 256;
constexpr std::int64_t tile_cols = 512;

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

std::size_t numbers(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows * cols);
}

template <class T>
MPI_Datatype mpi_type();
template <>
MPI_Datatype mpi_type<double>() {
  return MPI_DOUBLE;
}
template <>
MPI_Datatype mpi_type<float>() {
  return MPI_FLOAT;
}

/// Messages are counted in samples: numbers alone may be more than 2^31.
template <class T>
class SampleType {
 public:
  explicit SampleType(std::int64_t per_sample) {
    MPI_Type_contiguous(narrow(per_sample, "numbers in a sample"), mpi_type<T>(), &type_);
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
class Messages {
 public:
  Messages(MPI_Comm comm, int ahead, int behind) : comm_(comm), ahead_(ahead), behind_(behind) {
    requests_.fill(MPI_REQUEST_NULL);
  }
  Messages(const Messages&) = delete;
  Messages& operator=(const Messages&) = delete;
  ~Messages() { wait(); }
  /// Gets from the rank ahead what `mine` is for the rank behind. At most three times.
  void pass_on(const void* mine, int mine_count, void* next, int next_count, MPI_Datatype type) {
    MPI_Irecv(next, next_count, type, ahead_, static_cast<int>(used_), comm_, &requests_[2 * used_]);
    MPI_Isend(mine, mine_count, type, behind_, static_cast<int>(used_), comm_, &requests_[2 * used_ + 1]);
    ++used_;
  }
  void wait() { MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE); }

 private:
  MPI_Comm comm_;
  int ahead_;
  int behind_;
  std::size_t used_ = 0;
  std::array<MPI_Request, 6> requests_{};
};

}  // namespace

/// Another rank's samples and its part of V, one column per vector.
template <class T>
struct KernelProduct<T>::Visitor {
  std::int64_t count = 0;
  BasicSamples<T> guest;
  const BasicSamples<T>* samples = nullptr;  // this rank's own, or the guest
  std::vector<T> v;
};

template <class T>
KernelProduct<T>::KernelProduct(const Kernel& kernel, const BasicSamples<T>& own, const Communicator& comm,
                                std::int64_t samples, std::int64_t group)
    : kernel_(kernel), own_(own), comm_(comm), samples_(samples), group_(group) {}

template <class T>
Range KernelProduct<T>::share(int rank) const {
  return sample_share(comm_, samples_, group_, rank);
}

/// Calls visit(meeting, visitor) for every rank that this one meets, itself first, while the next visitor travels.
template <class T>
template <class Visit>
void KernelProduct<T>::tour(bool with_samples, std::vector<T> v, std::int64_t width, const Visit& visit) const {
  const int ranks = comm_.size();
  const int rank = comm_.rank();
  const int ahead = (rank + 1) % ranks;
  const int behind = (rank + ranks - 1) % ranks;
  const int steps = ranks / 2 + 1;
  const SampleType<T> data_type(own_.features);
  const SampleType<T> vector_type(std::max(width, std::int64_t{1}));
  const std::int64_t own_count = share(rank).size();
  Visitor here;
  here.count = own_count;
  here.samples = &own_;
  here.v = std::move(v);
  Visitor next;
  for (int step = 0; step < steps; ++step) {
    const int partner = (rank + step) % ranks;
    const bool more = step + 1 < steps;
    if (more) {
      attempt(comm_, [&] {
        next.count = share((partner + 1) % ranks).size();
        next.v.resize(numbers(next.count, width));
        if (!with_samples) return;
        next.guest.features = own_.features;
        next.guest.count = next.count;
        next.guest.data.resize(numbers(own_.features, next.count));
        next.guest.squared_norms.resize(static_cast<std::size_t>(next.count));
      });
    }
    Messages messages(comm_.raw(), ahead, behind);
    if (more) {
      const int mine = narrow(here.count, "samples on one rank");
      const int theirs = narrow(next.count, "samples on one rank");
      if (width > 0) messages.pass_on(here.v.data(), mine, next.v.data(), theirs, vector_type.raw());
      if (with_samples) {
        messages.pass_on(here.samples->data.data(), mine, next.guest.data.data(), theirs, data_type.raw());
        messages.pass_on(here.samples->squared_norms.data(), mine, next.guest.squared_norms.data(), theirs,
                         mpi_type<T>());
      }
    }
    Meeting meeting{step, {0, own_count}, {0, here.count}};
    // In the middle both meet each other: the lower rank's first half is the lower rank's work.
    if (step > 0 && 2 * step == ranks) {
      if (rank < partner) meeting.rows.end = own_count / 2;
      if (rank > partner) meeting.cols.begin = here.count / 2;
    }
    visit(meeting, here);
    messages.wait();
    std::swap(here, next);
    here.samples = &here.guest;
  }
}

/// The visitor's columns that a tile of rows meets: with oneself those on and below the diagonal.
template <class T>
Range KernelProduct<T>::strip_columns(const Meeting& meeting, Range rows) const {
  return {meeting.cols.begin, meeting.self() ? rows.end : meeting.cols.end};
}

namespace {

Range tile_of(Range rows, std::int64_t tile) {
  const std::int64_t begin = rows.begin + tile * tile_rows;
  return {begin, std::min(begin + tile_rows, rows.end)};
}

/// Calls each(columns, diagonal) for the tiles of a strip; with oneself (`self`) the last is the diagonal one.
template <class Each>
void for_tiles(Range rows, Range cols, bool self, const Each& each) {
  const std::int64_t end = self ? rows.begin : cols.end;
  for (std::int64_t col = cols.begin; col < end; col += tile_cols)
    each(Range{col, std::min(col + tile_cols, end)}, false);
  if (self) each(rows, true);
}

}  // namespace

template <class T>
void KernelProduct<T>::store_strips(const Meeting& meeting, const BasicSamples<T>& visitor, const Progress& progress) {
  const std::int64_t tiles = ceil_div(meeting.rows.size(), tile_rows);
  auto& strips = strips_.emplace_back(static_cast<std::size_t>(tiles));
  attempt(comm_, [&] {
    for (std::int64_t t = 0; t < tiles; ++t) {
      const Range rows = tile_of(meeting.rows, t);
      strips[static_cast<std::size_t>(t)].resize(numbers(rows.size(), strip_columns(meeting, rows).size()));
    }
  });
#pragma omp parallel for schedule(static, 1)
  for (std::int64_t t = 0; t < tiles; ++t) {
    const Range rows = tile_of(meeting.rows, t);
    const Range cols = strip_columns(meeting, rows);
    const MatrixView<T> strip{strips[static_cast<std::size_t>(t)].data(), rows.size(), cols.size(), rows.size()};
    for_tiles(rows, cols, meeting.self(), [&](Range tile, bool) {
      evaluate(kernel_, own_, rows, visitor, tile, strip.block(0, tile.begin - cols.begin, rows.size(), tile.size()));
    });
    if (thread_number() == 0 && progress) {
      const double done = static_cast<double>(t + 1) / static_cast<double>(tiles);
      const int meetings = comm_.size() / 2 + 1;
      progress((meeting.step + (meeting.self() ? done * done : done)) / meetings);
    }
  }
}

template <class T>
void KernelProduct<T>::store(const Progress& progress) {
  strips_.clear();
  tour(true, {}, 0,
       [&](const Meeting& meeting, const Visitor& visitor) { store_strips(meeting, *visitor.samples, progress); });
}

/// Adds what the rows of this rank and the visitor's columns have to do with each other: to y, and to `back` for the
/// visitor; with oneself `back` is also this rank's.
template <class T>
void KernelProduct<T>::multiply(const Meeting& meeting, const Visitor& visitor, MatrixView<const T> v, MatrixView<T> y,
                                std::vector<T>& back) const {
  const std::int64_t width = v.cols;
  const std::int64_t count = visitor.count;
  const bool stored = !strips_.empty();
  std::vector<std::vector<T>> returns(static_cast<std::size_t>(thread_count()));
  std::vector<std::vector<T>> entries(returns.size());
  attempt(comm_, [&] {
    for (auto& part : returns) part.resize(numbers(count, width));
    if (stored) return;
    for (auto& part : entries) part.resize(numbers(tile_rows, tile_cols));
  });
  const MatrixView<const T> theirs{visitor.v.data(), count, width, std::max(count, std::int64_t{1})};
  const std::int64_t tiles = ceil_div(meeting.rows.size(), tile_rows);
  // Tiles of one row belong to one thread, so nobody else writes to its part of y; the order of sums is fixed.
#pragma omp parallel for schedule(static, 1)
  for (std::int64_t t = 0; t < tiles; ++t) {
    const auto thread = static_cast<std::size_t>(thread_number());
    const Range rows = tile_of(meeting.rows, t);
    const Range cols = strip_columns(meeting, rows);
    const MatrixView<T> returned{returns[thread].data(), count, width, theirs.stride};
    for_tiles(rows, cols, meeting.self(), [&](Range tile, bool diagonal) {
      MatrixView<const T> k{entries[thread].data(), rows.size(), tile.size(), rows.size()};
      if (stored) {
        k.data = strips_[static_cast<std::size_t>(meeting.step)][static_cast<std::size_t>(t)].data() +
                 (tile.begin - cols.begin) * rows.size();
      } else {
        evaluate(kernel_, own_, rows, *visitor.samples, tile, {entries[thread].data(), k.rows, k.cols, k.stride});
      }
      gemm(T{1}, Transpose::no, k, Transpose::no, theirs.block(tile.begin, 0, tile.size(), width), T{1},
           y.block(rows.begin, 0, rows.size(), width));
      if (diagonal) return;  // it has one place only
      gemm(T{1}, Transpose::yes, k, Transpose::no, v.block(rows.begin, 0, rows.size(), width), T{1},
           returned.block(tile.begin, 0, tile.size(), width));
    });
  }
  std::fill(back.begin(), back.end(), T{0});
  for (const auto& part : returns) {
    for (std::size_t i = 0; i < part.size(); ++i) back[i] += part[i];
  }
}

template <class T>
void KernelProduct<T>::operator()(MatrixView<const double> v, MatrixView<double> y) const {
  const int ranks = comm_.size();
  const int rank = comm_.rank();
  const std::int64_t width = v.rows;
  const std::int64_t own = share(rank).size();
  const std::int64_t stride = std::max(own, std::int64_t{1});
  std::vector<T> mine;
  std::vector<T> visiting;
  std::vector<T> total;
  std::vector<T> back;
  std::vector<T> received;
  attempt(comm_, [&] {
    mine.resize(numbers(own, width));
    for (std::int64_t s = 0; s < own; ++s) {
      for (std::int64_t j = 0; j < width; ++j) mine[static_cast<std::size_t>(j * own + s)] = static_cast<T>(v(j, s));
    }
    visiting = mine;
    total.resize(mine.size());
    received.resize(mine.size());
  });
  const auto add = [&](const std::vector<T>& part) {
    for (std::size_t i = 0; i < part.size(); ++i) total[i] += part[i];
  };
  const SampleType<T> vector_type(width);
  tour(strips_.empty(), std::move(visiting), width, [&](const Meeting& meeting, const Visitor& visitor) {
    attempt(comm_, [&] { back.resize(numbers(visitor.count, width)); });
    multiply(meeting, visitor, {mine.data(), own, width, stride}, {total.data(), own, width, stride}, back);
    if (meeting.self()) {
      add(back);
      return;
    }
    const int partner = (rank + meeting.step) % ranks;
    const int other = (rank + ranks - meeting.step) % ranks;
    constexpr int returns_tag = 9;
    MPI_Sendrecv(back.data(), narrow(visitor.count, "samples on one rank"), vector_type.raw(), partner, returns_tag,
                 received.data(), narrow(own, "samples on one rank"), vector_type.raw(), other, returns_tag,
                 comm_.raw(), MPI_STATUS_IGNORE);
    add(received);
  });
  for (std::int64_t s = 0; s < own; ++s) {
    for (std::int64_t j = 0; j < width; ++j)
      y(j, s) = static_cast<double>(total[static_cast<std::size_t>(j * own + s)]);
  }
}

template class KernelProduct<double>;
template class KernelProduct<float>;

}  // namespace stepwise
