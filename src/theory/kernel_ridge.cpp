#include <algorithm>

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/dist/lapack.hpp"
#include "stepwise/dist/pblas.hpp"
#include "stepwise/solve/eigensolver.hpp"
#include "stepwise/theory/probe_samples.hpp"
#include "theory/penalty.hpp"

namespace stepwise {
namespace {

/// K = Q Lambda Q^T, with the rows of Q dealt out by sample, and Q^T Y.
struct Spectrum {
  std::vector<double> values;  ///< none negative
  BlockVector vectors;         ///< N x samples: column i is row i of Q
  std::vector<double> labels;  ///< N x classes: Q^T Y
};

double target(std::int64_t own_class, std::int64_t c) {
  return own_class == c ? 1 : -1;
}

/// Y^T: classes x this rank's samples.
std::vector<double> targets(const ProbeSamples& samples) {
  std::vector<double> y;
  for (const std::int64_t own_class : samples.train.classes) {
    for (std::int64_t c = 0; c < samples.class_count; ++c) y.push_back(target(own_class, c));
  }
  return y;
}

Spectrum spectrum_of(const DistMatrix& k, const ProbeSamples& samples) {
  const std::int64_t n = k.rows();
  const auto times = [&k](const DistMatrix& v) {
    DistMatrix result(v.shared_grid(), k.rows(), v.cols(), v.block());
    multiply(1, Transpose::no, k, Transpose::no, v, result);
    return result;
  };
  Eigenpairs pairs = largest_eigenpairs({[&] { return k.clone(); }, times}, n);
  Spectrum spectrum{std::move(pairs.values), to_block_vector(pairs.vectors, samples.group), {}};
  for (double& value : spectrum.values) value = std::max(value, 0.0);  // below zero by rounding
  attempt(samples.comm, [&] {
    const std::vector<double> y = targets(samples);
    const std::int64_t own = spectrum.vectors.range.size();
    spectrum.labels.resize(static_cast<std::size_t>(n * samples.class_count));
    gemm(1, Transpose::no, std::as_const(spectrum.vectors).local(), Transpose::yes,
         {y.data(), samples.class_count, own, samples.class_count}, 0,
         {spectrum.labels.data(), n, samples.class_count, n});
  });
  sum(samples.comm, spectrum.labels);
  return spectrum;
}

/// C^T = Y^T G for this rank's samples: classes x own.
std::vector<double> dual_of(const Spectrum& spectrum, const ProbeSamples& samples, double penalty) {
  const std::int64_t n = std::ssize(spectrum.values);
  std::vector<double> shrunk = spectrum.labels;
  for (std::int64_t c = 0; c < samples.class_count; ++c) {
    for (std::int64_t j = 0; j < n; ++j) {
      shrunk[static_cast<std::size_t>(j + c * n)] /= spectrum.values[static_cast<std::size_t>(j)] + penalty;
    }
  }
  const std::int64_t own = spectrum.vectors.range.size();
  std::vector<double> dual(static_cast<std::size_t>(samples.class_count * own));
  gemm(1, Transpose::yes, {shrunk.data(), n, samples.class_count, n}, Transpose::no, spectrum.vectors.local(), 0,
       {dual.data(), samples.class_count, own, samples.class_count});
  return dual;
}

/// How many samples are predicted right by all groups but their own.
std::int64_t count_left_out(const Spectrum& spectrum, const ProbeSamples& samples, double penalty) {
  const std::int64_t n = std::ssize(spectrum.values);
  const std::int64_t classes = samples.class_count;
  const std::vector<double> dual = dual_of(spectrum, samples, penalty);
  const auto side = static_cast<std::size_t>(samples.group);
  std::vector<double> weighted(static_cast<std::size_t>(n) * side);
  std::vector<double> inverse(side * side);
  std::vector<double> residual(side * static_cast<std::size_t>(classes));
  std::int64_t right = 0;
  for (std::int64_t begin = 0; begin < spectrum.vectors.range.size(); begin += samples.group) {
    const MatrixView<const double> rows = spectrum.vectors.local().block(0, begin, n, samples.group);
    for (std::int64_t v = 0; v < samples.group; ++v) {
      for (std::int64_t j = 0; j < n; ++j) {
        weighted[static_cast<std::size_t>(j + v * n)] =
            rows(j, v) / (spectrum.values[static_cast<std::size_t>(j)] + penalty);
      }
      for (std::int64_t c = 0; c < classes; ++c) {
        residual[static_cast<std::size_t>(v + c * samples.group)] =
            dual[static_cast<std::size_t>(c + (begin + v) * classes)];
      }
    }
    gemm(1, Transpose::yes, rows, Transpose::no, {weighted.data(), n, samples.group, n}, 0,
         {inverse.data(), samples.group, samples.group, samples.group});
    const auto left_out = solve_positive({inverse.data(), samples.group, samples.group, samples.group},
                                         {residual.data(), samples.group, classes, samples.group});
    if (!left_out) fail(ExitCode::numerical, "kernel ridge: leaving out sample {} fails", begin);
    for (std::int64_t v = 0; v < samples.group; ++v) {
      const std::int64_t own_class = samples.train.classes[static_cast<std::size_t>(begin + v)];
      std::vector<double> scores;
      for (std::int64_t c = 0; c < classes; ++c) {
        scores.push_back(target(own_class, c) - (*left_out)[static_cast<std::size_t>(v + c * samples.group)]);
      }
      right += std::max_element(scores.begin(), scores.end()) - scores.begin() == own_class ? 1 : 0;
    }
  }
  return right;
}

}  // namespace

KernelRidge kernel_ridge(const DistMatrix& k, const ProbeSamples& samples, std::span<const double> penalties) {
  const Spectrum spectrum = spectrum_of(k, samples);
  const std::int64_t n = k.rows();
  double trace = 0;
  for (const double value : spectrum.values) trace += value;
  KernelRidge fit;
  fit.path.scale = trace > 0 ? trace / static_cast<double>(n) : 1;
  std::vector<std::int64_t> right;
  for (const double penalty : penalties) {
    right.push_back(attempt(samples.comm, [&] { return count_left_out(spectrum, samples, penalty * fit.path.scale); }));
    stop_together(samples.comm);
  }
  fit.path.validation = shares(samples.comm, right, n);
  fit.path.chosen = best_penalty(fit.path.validation);
  fit.dual = BlockVector{n, samples.class_count, spectrum.vectors.range, {}};
  fit.dual.data =
      attempt(samples.comm, [&] { return dual_of(spectrum, samples, penalties[fit.path.chosen] * fit.path.scale); });
  return fit;
}

}  // namespace stepwise
