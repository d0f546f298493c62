#include "kernel/precomputed.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "stepwise/core/error.hpp"
#include "stepwise/core/index.hpp"

namespace stepwise {
namespace {

/// Consecutive numbers of samples, and where each of them stands in the tile.
struct Run {
  Range numbers;
  std::vector<std::int64_t> places;
};

template <class T>
std::vector<Run> runs_of(std::span<const T> numbers, std::int64_t order) {
  std::vector<std::int64_t> places(numbers.size());
  std::iota(places.begin(), places.end(), std::int64_t{0});
  const auto number = [&](std::int64_t place) {
    return static_cast<std::int64_t>(numbers[static_cast<std::size_t>(place)]);
  };
  std::stable_sort(places.begin(), places.end(), [&](auto a, auto b) { return number(a) < number(b); });
  std::vector<Run> runs;
  for (const std::int64_t place : places) {
    const std::int64_t next = number(place);
    // Training and test samples are of two matrices.
    const bool goes_on = !runs.empty() && runs.back().numbers.end == next && next != order;
    if (!goes_on) runs.push_back({{next, next}, {}});
    ++runs.back().numbers.end;
    runs.back().places.push_back(place);
  }
  return runs;
}

/// A matrix of its own memory, rows x cols.
class Part {
 public:
  Part(const StoredMatrix& matrix, Range rows, Range cols)
      : rows_(rows.size()), data_(static_cast<std::size_t>(rows.size() * cols.size())) {
    matrix.read(rows, cols, {data_.data(), rows.size(), cols.size(), rows.size()});
  }
  [[nodiscard]] double operator()(std::int64_t i, std::int64_t j) const {
    return data_[static_cast<std::size_t>(i + j * rows_)];
  }

 private:
  std::int64_t rows_;
  std::vector<double> data_;
};

template <class T>
void put(const Run& rows, const Run& cols, MatrixView<T> out, const auto& entry) {
  for (std::int64_t j = 0; j < cols.numbers.size(); ++j) {
    const std::int64_t col = cols.places[static_cast<std::size_t>(j)];
    for (std::int64_t i = 0; i < rows.numbers.size(); ++i) {
      out(rows.places[static_cast<std::size_t>(i)], col) = static_cast<T>(entry(i, j));
    }
  }
}

/// Entries between training samples, from the upper triangle.
template <class T>
void put_train(const StoredMatrix& train, const Run& rows, const Run& cols, MatrixView<T> out) {
  const Range r = rows.numbers;
  const Range c = cols.numbers;
  if (r.end <= c.begin) {
    const Part part(train, r, c);
    put(rows, cols, out, [&](auto i, auto j) { return part(i, j); });
  } else if (c.end <= r.begin) {
    const Part part(train, c, r);
    put(rows, cols, out, [&](auto i, auto j) { return part(j, i); });
  } else {
    const Part part(train, r, c);
    const Part mirrored(train, c, r);
    put(rows, cols, out, [&](auto i, auto j) { return r.begin + i <= c.begin + j ? part(i, j) : mirrored(j, i); });
  }
}

/// Entries between test samples `tests` and training samples.
Part read_tests(const PrecomputedKernel& kernel, Range tests, Range trained) {
  const std::int64_t order = kernel.train->rows;
  if (kernel.test == nullptr || trained.begin >= order || tests.begin < order) {
    fail(ExitCode::internal, "kernel of samples {} and {}, {} is of order {}", tests.begin, trained.begin,
         kernel.train->name, order);
  }
  return {*kernel.test, {tests.begin - order, tests.end - order}, trained};
}

}  // namespace

template <class T>
void look_up(const PrecomputedKernel& kernel, std::span<const T> rows, std::span<const T> cols, MatrixView<T> out) {
  const std::int64_t order = kernel.train->rows;
  const std::vector<Run> row_runs = runs_of(rows, order);
  for (const Run& c : runs_of(cols, order)) {
    for (const Run& r : row_runs) {
      if (r.numbers.begin < order && c.numbers.begin < order) {
        put_train(*kernel.train, r, c, out);
      } else if (c.numbers.begin >= order) {
        const Part part = read_tests(kernel, c.numbers, r.numbers);
        put(r, c, out, [&](auto i, auto j) { return part(j, i); });
      } else {
        const Part part = read_tests(kernel, r.numbers, c.numbers);
        put(r, c, out, [&](auto i, auto j) { return part(i, j); });
      }
    }
  }
}

template void look_up(const PrecomputedKernel&, std::span<const double>, std::span<const double>, MatrixView<double>);
template void look_up(const PrecomputedKernel&, std::span<const float>, std::span<const float>, MatrixView<float>);

}  // namespace stepwise
