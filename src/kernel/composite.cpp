#include "kernel/composite.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "stepwise/kernel/evaluate.hpp"

namespace stepwise {

template <class T>
Modality<T> modality(const BasicSamples<T>& x, Range range, int which, std::int64_t features) {
  Modality<T> found;
  found.samples.features = features;
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    const T* sample = x.sample(i);
    if ((sample[0] != 0 ? 1 : 0) != which) continue;
    found.places.push_back(i - range.begin);
    found.samples.data.insert(found.samples.data.end(), sample + 1, sample + 1 + features);
    found.samples.squared_norms.push_back(
        static_cast<T>(std::accumulate(sample + 1, sample + 1 + features, 0.0, [](double sum, T number) {
          return sum + static_cast<double>(number) * static_cast<double>(number);
        })));
  }
  found.samples.count = std::ssize(found.places);
  return found;
}

template Modality<double> modality(const Samples&, Range, int, std::int64_t);
template Modality<float> modality(const SingleSamples&, Range, int, std::int64_t);

namespace {

/// A tile of its own.
template <class T>
struct Tile {
  Tile(std::int64_t rows, std::int64_t cols)
      : numbers(static_cast<std::size_t>(rows * cols)), rows_(rows), cols_(cols) {}
  [[nodiscard]] MatrixView<T> view() { return {numbers.data(), rows_, cols_, std::max(rows_, std::int64_t{1})}; }

  std::vector<T> numbers;

 private:
  std::int64_t rows_;
  std::int64_t cols_;
};

template <class T, class Change>
void for_each_entry(MatrixView<T> out, const Change& change) {
  for (std::int64_t j = 0; j < out.cols; ++j) {
    for (std::int64_t i = 0; i < out.rows; ++i) change(out(i, j), i, j);
  }
}

/// 1 / sqrt(k(x, x)), or 0.
template <class T>
std::vector<T> inverse_lengths(const Kernel& kernel, const BasicSamples<T>& x, Range samples) {
  std::vector<T> result = diagonal(kernel, x, samples);
  for (T& entry : result) entry = entry > 0 ? 1 / std::sqrt(entry) : T{0};
  return result;
}

template <class T>
struct Evaluate {
  const BasicSamples<T>& x;
  Range rows;
  const BasicSamples<T>& y;
  Range cols;
  MatrixView<T> out;

  bool operator()(const NormalisedKernel& k) const {
    const Kernel& inner = k.of->kernel;
    evaluate(inner, x, rows, y, cols, out);
    const std::vector<T> left = inverse_lengths(inner, x, rows);
    const std::vector<T> right = inverse_lengths(inner, y, cols);
    for_each_entry(out, [&](T& entry, std::int64_t i, std::int64_t j) {
      entry *= left[static_cast<std::size_t>(i)] * right[static_cast<std::size_t>(j)];
    });
    return true;
  }

  bool operator()(const KernelSum& k) const {
    for_each_entry(out, [](T& entry, auto, auto) { entry = 0; });
    Tile<T> product(out.rows, out.cols);
    Tile<T> factor(0, 0);
    for (const KernelTerm& term : k.terms) {
      std::fill(product.numbers.begin(), product.numbers.end(), static_cast<T>(term.weight));
      for (const KernelPart& part : term.factors) {
        if (factor.numbers.empty()) factor = Tile<T>(out.rows, out.cols);
        evaluate(part->kernel, x, rows, y, cols, factor.view());
        for (std::size_t i = 0; i < product.numbers.size(); ++i) product.numbers[i] *= factor.numbers[i];
      }
      const MatrixView<T> summand = product.view();
      for_each_entry(out, [&](T& entry, std::int64_t i, std::int64_t j) { entry += summand(i, j); });
    }
    return true;
  }

  bool operator()(const MultimodalKernel& k) const {
    for_each_entry(out, [](T& entry, auto, auto) { entry = 0; });
    for (int which = 0; which < 2; ++which) {
      const std::int64_t features = which == 0 ? k.features_a : k.features_b;
      const Modality<T> left = modality(x, rows, which, features);
      const Modality<T> right = modality(y, cols, which, features);
      const std::int64_t m = left.samples.count;
      const std::int64_t n = right.samples.count;
      if (m == 0 || n == 0) continue;
      Tile<T> tile(m, n);
      evaluate((which == 0 ? k.a : k.b)->kernel, left.samples, {0, m}, right.samples, {0, n}, tile.view());
      for_each_entry(tile.view(), [&](T& entry, std::int64_t i, std::int64_t j) {
        out(left.places[static_cast<std::size_t>(i)], right.places[static_cast<std::size_t>(j)]) = entry;
      });
    }
    return true;
  }

  template <class Simple>
  bool operator()(const Simple&) const {
    return false;
  }
};

}  // namespace

template <class T>
bool evaluate_composite(const Kernel& kernel, const BasicSamples<T>& x, Range rows, const BasicSamples<T>& y,
                        Range cols, MatrixView<T> out) {
  return std::visit(Evaluate<T>{x, rows, y, cols, out}, kernel);
}

template bool evaluate_composite(const Kernel&, const Samples&, Range, const Samples&, Range, MatrixView<double>);
template bool evaluate_composite(const Kernel&, const SingleSamples&, Range, const SingleSamples&, Range,
                                 MatrixView<float>);

}  // namespace stepwise
