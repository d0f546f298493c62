#include "stepwise/theory/probe.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "stepwise/core/error.hpp"
#include "stepwise/core/index.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/dist/lapack.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t samples_at_once = 1024;

std::size_t at(std::int64_t i, std::int64_t j, std::int64_t rows) {
  return static_cast<std::size_t>(i + j * rows);
}

/// The columns `which` of x, the first `rows` numbers of each, less `origin`.
void gather(MatrixView<const double> x, std::span<const std::int64_t> which, std::int64_t rows,
            std::span<const double> origin, std::vector<double>& out) {
  out.resize(which.size() * static_cast<std::size_t>(rows));
  double* to = out.data();
  for (const std::int64_t sample : which) {
    for (std::int64_t i = 0; i < rows; ++i) {
      *to++ = x(i, sample) - (origin.empty() ? 0 : origin[static_cast<std::size_t>(i)]);
    }
  }
}

std::vector<double> subtract(std::vector<double> a, const std::vector<double>& b) {
  std::transform(a.begin(), a.end(), b.begin(), a.begin(), std::minus<>());
  return a;
}

/// Sum of x - origin over all samples.
std::vector<double> total_sums(const LabelMoments& m) {
  std::vector<double> total(m.origin.size());
  for (std::int64_t c = 0; c < m.classes(); ++c) {
    for (std::int64_t i = 0; i < m.features(); ++i)
      total[static_cast<std::size_t>(i)] += m.sums[at(i, c, m.features())];
  }
  return total;
}

}  // namespace

std::vector<std::int64_t> distinct_labels(std::span<const std::int64_t> labels) {
  std::vector<std::int64_t> distinct(labels.begin(), labels.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  return distinct;
}

std::vector<std::int64_t> class_numbers(std::span<const std::int64_t> labels, std::span<const std::int64_t> distinct) {
  std::vector<std::int64_t> numbers;
  for (const std::int64_t label : labels) {
    const auto found = std::lower_bound(distinct.begin(), distinct.end(), label);
    numbers.push_back(found != distinct.end() && *found == label ? found - distinct.begin() : -1);
  }
  return numbers;
}

double LabelMoments::samples() const noexcept {
  return std::accumulate(counts.begin(), counts.end(), 0.0);
}

LabelMoments label_moments(MatrixView<const double> x, std::span<const std::int64_t> classes,
                           std::span<const std::int64_t> which, std::vector<double> origin, std::int64_t class_count) {
  const std::int64_t d = x.rows;
  LabelMoments m{std::move(origin), std::vector<double>(static_cast<std::size_t>(class_count)),
                 std::vector<double>(static_cast<std::size_t>(d * class_count)),
                 std::vector<double>(static_cast<std::size_t>(d * d))};
  std::vector<double> some;
  for (std::size_t begin = 0; begin < which.size(); begin += samples_at_once) {
    const auto now = which.subspan(begin, std::min<std::size_t>(samples_at_once, which.size() - begin));
    gather(x, now, d, m.origin, some);
    for (std::size_t s = 0; s < now.size(); ++s) {
      const std::int64_t c = classes[static_cast<std::size_t>(now[s])];
      m.counts[static_cast<std::size_t>(c)] += 1;
      for (std::int64_t i = 0; i < d; ++i) m.sums[at(i, c, d)] += some[at(i, static_cast<std::int64_t>(s), d)];
    }
    const MatrixView<const double> part{some.data(), d, std::ssize(now), d};
    gemm(1, Transpose::no, part, Transpose::yes, part, 1, {m.products.data(), d, d, d});
  }
  return m;
}

LabelMoments without(const LabelMoments& all, const LabelMoments& part) {
  return {all.origin, subtract(all.counts, part.counts), subtract(all.sums, part.sums),
          subtract(all.products, part.products)};
}

std::vector<double> covariance(const LabelMoments& m, std::span<const double> scales) {
  const std::vector<double> total = total_sums(m);
  const std::int64_t k = std::ssize(scales);
  const double n = m.samples();
  std::vector<double> result(static_cast<std::size_t>(k * k));
  for (std::int64_t j = 0; j < k; ++j) {
    for (std::int64_t i = 0; i < k; ++i) {
      const auto a = static_cast<std::size_t>(i);
      const auto b = static_cast<std::size_t>(j);
      result[at(i, j, k)] = scales[a] * scales[b] * (m.products[at(i, j, m.features())] - total[a] * total[b] / n) / n;
    }
  }
  return result;
}

std::vector<LinearClassifier> ridge_classifiers(const LabelMoments& m, std::span<const double> scales,
                                                std::span<const double> penalties) {
  const std::int64_t d = m.features();
  const std::int64_t k = std::ssize(scales);
  const std::int64_t classes = m.classes();
  const double n = m.samples();
  const std::vector<double> total = total_sums(m);
  const std::vector<double> centred = covariance(m, scales);
  if (!std::ranges::all_of(centred, [](double x) { return std::isfinite(x); })) {
    fail(ExitCode::numerical, "the covariance of {} modes is not finite: are the embeddings?", k);
  }
  // X^T y of class c, centred: 2 (its sum - its share of the total).
  std::vector<double> right(static_cast<std::size_t>(k * classes));
  for (std::int64_t c = 0; c < classes; ++c) {
    const double share = m.counts[static_cast<std::size_t>(c)] / n;
    for (std::int64_t i = 0; i < k; ++i) {
      const auto a = static_cast<std::size_t>(i);
      right[at(i, c, k)] = 2 * scales[a] * (m.sums[at(i, c, d)] - share * total[a]);
    }
  }
  std::vector<LinearClassifier> classifiers;
  for (const double penalty : penalties) {
    std::vector<double> normal = centred;
    for (double& x : normal) x *= n;
    for (std::int64_t i = 0; i < k; ++i) normal[at(i, i, k)] += penalty;
    auto weights = solve_positive({normal.data(), k, k, k}, {right.data(), k, classes, k});
    if (!weights) {
      fail(ExitCode::numerical, "the normal equations of {} modes with penalty {:.3g} are not positive definite", k,
           penalty);
    }
    LinearClassifier fit{k, std::move(*weights), {}};
    for (std::int64_t c = 0; c < classes; ++c) {
      double intercept = 2 * m.counts[static_cast<std::size_t>(c)] / n - 1;  // the mean of the targets
      for (std::int64_t i = 0; i < k; ++i) {
        const auto a = static_cast<std::size_t>(i);
        fit.weights[at(i, c, k)] *= scales[a];
        intercept -= fit.weights[at(i, c, k)] * (m.origin[a] + total[a] / n);
      }
      fit.intercepts.push_back(intercept);
    }
    classifiers.push_back(std::move(fit));
  }
  return classifiers;
}

std::vector<std::int64_t> count_right(std::span<const LinearClassifier> classifiers, MatrixView<const double> x,
                                      std::span<const std::int64_t> classes, std::span<const std::int64_t> which) {
  std::vector<std::int64_t> right(classifiers.size());
  std::vector<double> some;
  std::vector<double> scores;
  for (std::size_t begin = 0; begin < which.size(); begin += samples_at_once) {
    const auto now = which.subspan(begin, std::min<std::size_t>(samples_at_once, which.size() - begin));
    for (std::size_t r = 0; r < classifiers.size(); ++r) {
      const LinearClassifier& fit = classifiers[r];
      const std::int64_t k = fit.features;
      const std::int64_t count = std::ssize(fit.intercepts);
      if (r == 0 || classifiers[r - 1].features != k) gather(x, now, k, {}, some);
      scores.resize(now.size() * fit.intercepts.size());
      for (std::size_t s = 0; s < now.size(); ++s) {
        std::copy(fit.intercepts.begin(), fit.intercepts.end(), scores.data() + s * fit.intercepts.size());
      }
      gemm(1, Transpose::yes, {fit.weights.data(), k, count, k}, Transpose::no, {some.data(), k, std::ssize(now), k}, 1,
           {scores.data(), count, std::ssize(now), count});
      for (std::size_t s = 0; s < now.size(); ++s) {
        const double* own = scores.data() + s * fit.intercepts.size();
        right[r] += std::max_element(own, own + count) - own == classes[static_cast<std::size_t>(now[s])] ? 1 : 0;
      }
    }
  }
  return right;
}

double rankme(const LabelMoments& m, std::span<const double> scales) {
  const std::int64_t k = std::ssize(scales);
  const std::vector<double> total = total_sums(m);
  std::vector<double> squares = covariance(m, scales);  // plus the square of the mean
  for (std::int64_t j = 0; j < k; ++j) {
    for (std::int64_t i = 0; i < k; ++i) {
      const auto mean = [&](std::int64_t l) {
        const auto a = static_cast<std::size_t>(l);
        return scales[a] * (m.origin[a] + total[a] / m.samples());
      };
      squares[at(i, j, k)] += mean(i) * mean(j);
    }
  }
  double sum = 0;
  std::vector<double> singular = symmetric_eigenpairs({squares.data(), k, k, k}, false).values;
  for (double& x : singular) sum += x = std::sqrt(std::max(x, 0.0));
  if (sum == 0) return 0;
  double entropy = 0;
  for (const double x : singular) entropy -= x > 0 ? x / sum * std::log(x / sum) : 0;
  return std::exp(entropy);
}

double effective_dimension(const LabelMoments& m, std::span<const double> scales) {
  const std::int64_t k = std::ssize(scales);
  const std::vector<double> c = covariance(m, scales);
  double trace = 0;
  double largest = 0;
  for (std::int64_t i = 0; i < k; ++i) {
    trace += c[at(i, i, k)];
    largest = std::max(largest, c[at(i, i, k)]);
  }
  if (!(largest > 0)) return 0;
  double squares = 0;  // in units of the largest: scales early in training are tiny
  for (const double x : c) squares += x / largest * (x / largest);
  return trace / largest * (trace / largest) / squares;
}

std::vector<double> label_alignment(const LabelMoments& m) {
  const double n = m.samples();
  const std::vector<double> total = total_sums(m);
  double labels = 0;  // sum_c |y_c|^2
  for (const double count : m.counts) labels += count * (1 - count / n);
  std::vector<double> shares;
  for (std::int64_t j = 0; j < m.features(); ++j) {
    const auto a = static_cast<std::size_t>(j);
    const double square = m.products[at(j, j, m.features())] - total[a] * total[a] / n;
    double along = 0;
    for (std::int64_t c = 0; c < m.classes(); ++c) {
      const double product = m.sums[at(j, c, m.features())] - m.counts[static_cast<std::size_t>(c)] / n * total[a];
      along += product * product;
    }
    shares.push_back(square > 0 && labels > 0 ? along / (square * labels) : 0);
  }
  return shares;
}

}  // namespace stepwise
