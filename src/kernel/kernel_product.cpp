#include "stepwise/kernel/kernel_product.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "kernel/threads.hpp"
#include "kernel/tile_product.hpp"
#include "stepwise/core/stop.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/kernel/tile_shape.hpp"

namespace stepwise {
namespace {

// Stored tiles lie in strips of as many rows as tiles on the diagonal have. Multiplied 128 columns at a time they stay
// in the second cache for both products, and BLAS multiplies them with few vectors without packing them first.
constexpr std::int64_t strip_cols = 128;

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

/// Memory of each thread, not filled.
template <class T>
class Buffers {
 public:
  explicit Buffers(std::size_t size) : parts_(static_cast<std::size_t>(thread_count())) {
    for (auto& part : parts_) part = allocate_lines<T>(size);
  }
  void clear(std::size_t size) {
    for (auto& part : parts_) std::fill_n(part.get(), size, T{0});
  }
  [[nodiscard]] T* mine() const { return parts_[static_cast<std::size_t>(thread_number())].get(); }
  void add_to(std::vector<T>& sums) const {
    for (const auto& part : parts_) {
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += part[i];
    }
  }

 private:
  std::vector<CacheLines<T>> parts_;
};

/// out := in^T, in blocks that stay in the first cache.
template <class From, class To>
void transpose(MatrixView<From> in, MatrixView<To> out) {
  constexpr std::int64_t block = 32;
  for (std::int64_t row = 0; row < in.rows; row += block) {
    for (std::int64_t col = 0; col < in.cols; col += block) {
      for (std::int64_t i = row; i < std::min(row + block, in.rows); ++i) {
        for (std::int64_t j = col; j < std::min(col + block, in.cols); ++j) out(j, i) = static_cast<To>(in(i, j));
      }
    }
  }
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

  /// Memory for as many samples, so that no later visitor needs more.
  void reserve(std::int64_t most, std::int64_t width, std::int64_t features) {
    v.reserve(numbers(most, width));
    guest.data.reserve(numbers(features, most));
    guest.squared_norms.reserve(features > 0 ? static_cast<std::size_t>(most) : 0);
  }
};

/// What a product needs besides the vectors: of each thread, the sums for a visitor and a tile.
template <class T>
struct KernelProduct<T>::Workspace {
  Buffers<T> returns;
  Buffers<T> entries;
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
  (void)narrow(share(0).size(), "samples on one rank");  // the largest share: all ranks fail alike
  const std::int64_t own_count = share(rank).size();
  Visitor here;
  Visitor next;
  attempt(comm_, [&] {
    here.v = std::move(v);
    for (Visitor* visitor : {&here, &next}) {
      if (ranks > 1) visitor->reserve(share(0).size(), width, with_samples ? own_.features : 0);
    }
  });
  here.count = own_count;
  here.samples = &own_;
  for (int step = 0; step < steps; ++step) {
    const int partner = (rank + step) % ranks;
    const bool more = step + 1 < steps;
    if (more) {
      next.count = share((partner + 1) % ranks).size();
      next.v.resize(numbers(next.count, width));
      if (with_samples) {
        next.guest.features = own_.features;
        next.guest.count = next.count;
        next.guest.data.resize(numbers(own_.features, next.count));
        next.guest.squared_norms.resize(static_cast<std::size_t>(next.count));
      }
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

namespace {

struct Tile {
  Range rows;
  Range cols;
};

Range next_part(Range whole, std::int64_t begin, std::int64_t size) {
  return {begin, std::min(begin + size, whole.end)};
}

/// Numbers in a tile; those near the diagonal are up to `rows` wide.
std::size_t largest_tile(const TileShape& shape) {
  return numbers(shape.rows, std::max(shape.rows, shape.cols));
}

/// The tiles of some rows: with oneself (`self`) what is on and below the diagonal, and little above it.
std::vector<Tile> tiles_of(const TileShape& shape, Range rows, Range cols, bool self) {
  std::vector<Tile> tiles;
  const Range left{cols.begin, self ? rows.begin : cols.end};
  for (std::int64_t col = left.begin; col < left.end; col += shape.cols) {
    tiles.push_back({rows, next_part(left, col, shape.cols)});
  }
  for (std::int64_t row = rows.begin; self && row < rows.end; row += shape.diagonal) {
    const Range part = next_part(rows, row, shape.diagonal);
    if (row > rows.begin) tiles.push_back({part, {rows.begin, row}});
    tiles.push_back({part, part});
  }
  return tiles;
}

}  // namespace

template <class T>
void KernelProduct<T>::store_strips(const Meeting& meeting, const BasicSamples<T>& visitor, const Progress& progress) {
  const TileShape shape = tile_shape(kernel_);
  const std::int64_t strip_rows = shape.diagonal;
  std::vector<Tile> tiles;
  std::vector<Strip>& strips = strips_.emplace_back();
  attempt(comm_, [&] {
    for (std::int64_t row = meeting.rows.begin; row < meeting.rows.end; row += strip_rows) {
      const Range rows = next_part(meeting.rows, row, strip_rows);
      const Range cols{meeting.cols.begin, meeting.self() ? rows.end : meeting.cols.end};
      strips.push_back({rows, cols, allocate_lines<T>(numbers(whole_lines<T>(rows.size()), cols.size()))});
    }
    for (std::int64_t row = meeting.rows.begin; row < meeting.rows.end; row += shape.rows) {
      const auto some = tiles_of(shape, next_part(meeting.rows, row, shape.rows), meeting.cols, meeting.self());
      tiles.insert(tiles.end(), some.begin(), some.end());
    }
  });
  const auto entries = attempt(comm_, [&] { return Buffers<T>(largest_tile(shape)); });
  std::atomic<std::int64_t> done = 0;
#pragma omp parallel for schedule(dynamic)
  for (std::size_t t = 0; t < tiles.size(); ++t) {
    if (stop_requested()) continue;
    const auto [rows, cols] = tiles[t];
    const MatrixView<T> tile{entries.mine(), rows.size(), cols.size(), rows.size()};
    evaluate(kernel_, own_, rows, visitor, cols, tile);
    for (std::int64_t row = rows.begin; row < rows.end; row += strip_rows) {
      const Strip& strip = strips[static_cast<std::size_t>((row - meeting.rows.begin) / strip_rows)];
      const std::int64_t end = std::min(cols.end, strip.cols.end);
      for (std::int64_t col = cols.begin; col < end; ++col) {
        std::copy_n(tile.column(col - cols.begin) + (row - rows.begin), strip.rows.size(),
                    strip.view().column(col - strip.cols.begin));
      }
    }
    ++done;
    if (thread_number() == 0 && progress) {
      const int meetings = comm_.size() / 2 + 1;
      progress((meeting.step + static_cast<double>(done) / static_cast<double>(tiles.size())) / meetings);
    }
  }
  stop_together(comm_);
}

template <class T>
void KernelProduct<T>::store(const Progress& progress) {
  strips_.clear();
  tour(true, {}, 0,
       [&](const Meeting& meeting, const Visitor& visitor) { store_strips(meeting, *visitor.samples, progress); });
  if (progress) progress(1);
}

/// Adds what the rows of this rank and the visitor's columns have to do with each other: to y, and to `back` for the
/// visitor; with oneself `back` is also this rank's.
template <class T>
void KernelProduct<T>::multiply(const Meeting& meeting, const Visitor& visitor, MatrixView<const T> v, MatrixView<T> y,
                                std::vector<T>& back, Workspace& workspace) const {
  const std::int64_t width = v.cols;
  const std::int64_t count = visitor.count;
  const std::int64_t stride = std::max(count, std::int64_t{1});
  const MatrixView<const T> theirs{visitor.v.data(), count, width, stride};
  workspace.returns.clear(numbers(count, width));
  /// Multiplies one tile for its two places; a tile on the diagonal has one only.
  const auto use = [&](const Tile& tile, MatrixView<const T> k) {
    const MatrixView<const T> v_cols = theirs.block(tile.cols.begin, 0, k.cols, width);
    const MatrixView<T> y_rows = y.block(tile.rows.begin, 0, k.rows, width);
    if (meeting.self() && tile.cols.begin == tile.rows.begin) {
      multiply_tile(k, v_cols, y_rows);
      return;
    }
    const MatrixView<T> returned{workspace.returns.mine(), count, width, stride};
    multiply_tile_twice(k, v_cols, y_rows, v.block(tile.rows.begin, 0, k.rows, width),
                        returned.block(tile.cols.begin, 0, k.cols, width));
  };
  // All tiles of a row belong to one thread, so nobody else writes to its part of y, and the order of sums is fixed.
  if (strips_.empty()) {
    const TileShape shape = tile_shape(kernel_);
    const auto parts = attempt(comm_, [&] {
      std::vector<std::vector<Tile>> rows;
      for (std::int64_t row = meeting.rows.begin; row < meeting.rows.end; row += shape.rows) {
        rows.push_back(tiles_of(shape, next_part(meeting.rows, row, shape.rows), meeting.cols, meeting.self()));
      }
      return rows;
    });
#pragma omp parallel for schedule(static, 1)
    for (std::size_t part = 0; part < parts.size(); ++part) {
      for (const Tile& tile : parts[part]) {
        if (stop_requested()) break;
        const MatrixView<T> k{workspace.entries.mine(), tile.rows.size(), tile.cols.size(), tile.rows.size()};
        evaluate(kernel_, own_, tile.rows, *visitor.samples, tile.cols, k);
        use(tile, k);
      }
    }
  } else {
    const std::vector<Strip>& strips = strips_[static_cast<std::size_t>(meeting.step)];
#pragma omp parallel for schedule(static, 1)
    for (std::size_t s = 0; s < strips.size(); ++s) {
      const Strip& strip = strips[s];
      const Range left{strip.cols.begin, meeting.self() ? strip.rows.begin : strip.cols.end};
      const auto part = [&](Range cols) {
        return strip.view().block(0, cols.begin - strip.cols.begin, strip.rows.size(), cols.size());
      };
      for (std::int64_t col = left.begin; col < left.end; col += strip_cols) {
        const Range cols = next_part(left, col, strip_cols);
        use({strip.rows, cols}, part(cols));
      }
      if (meeting.self()) use({strip.rows, strip.rows}, part(strip.rows));
    }
  }
  std::fill(back.begin(), back.end(), T{0});
  workspace.returns.add_to(back);
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
  const std::size_t most = numbers(share(0).size(), width);  // the largest share
  Workspace workspace = attempt(comm_, [&] {
    mine.resize(numbers(own, width));
    transpose(v, MatrixView<T>{mine.data(), own, width, stride});
    visiting = mine;
    total.resize(mine.size());
    received.resize(mine.size());
    back.reserve(most);
    return Workspace{Buffers<T>(most), Buffers<T>(strips_.empty() ? largest_tile(tile_shape(kernel_)) : 0)};
  });
  const auto add = [&](const std::vector<T>& part) {
    for (std::size_t i = 0; i < part.size(); ++i) total[i] += part[i];
  };
  const SampleType<T> vector_type(width);
  tour(strips_.empty(), std::move(visiting), width, [&](const Meeting& meeting, const Visitor& visitor) {
    back.resize(numbers(visitor.count, width));
    multiply(meeting, visitor, {mine.data(), own, width, stride}, {total.data(), own, width, stride}, back, workspace);
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
  stop_together(comm_);
  transpose(MatrixView<const T>{total.data(), own, width, stride}, y);
}

template class KernelProduct<double>;
template class KernelProduct<float>;

}  // namespace stepwise
