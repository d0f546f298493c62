#include <algorithm>
#include <limits>
#include <numeric>

#include "solve_config.hpp"
#include "stepwise/data/stored_matrix.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/dist/pairing.hpp"
#include "stepwise/io/input_file.hpp"
#include "stepwise/theory/embedding.hpp"
#include "stepwise/theory/timescales.hpp"
#include "stored_model.hpp"
#include "verify_checks.hpp"

namespace stepwise {

BlockVector read_paired(const Communicator& comm, const std::string& path, const std::string& dataset,
                        std::int64_t views) {
  return attempt(comm, [&] {
    const StoredMatrix matrix = open_sample_rows(path, {dataset}).matrix;
    if (views < 2 || matrix.rows % views != 0) {
      fail(ExitCode::input, "{}: {} samples of {} views each", matrix.name, matrix.rows, views);
    }
    BlockVector result = make_block_vector(comm, matrix.rows, matrix.cols, views);
    const Range pairs{result.range.begin / views, result.range.end / views};
    std::vector<double> part(static_cast<std::size_t>(pairs.size() * matrix.cols));
    for (std::int64_t view = 0; view < views; ++view) {
      const std::int64_t first = view * (matrix.rows / views);
      const MatrixView<double> rows{part.data(), pairs.size(), matrix.cols, std::max<std::int64_t>(pairs.size(), 1)};
      matrix.read({first + pairs.begin, first + pairs.end}, {0, matrix.cols}, rows);
      for (std::int64_t i = 0; i < rows.rows; ++i) {
        for (std::int64_t j = 0; j < rows.cols; ++j) result.local()(j, views * i + view) = rows(i, j);
      }
    }
    return result;
  });
}

double relative_difference(const std::vector<double>& a, const std::vector<double>& b, double smallest) {
  if (a.size() != b.size()) return HUGE_VAL;
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    const double off = std::abs(a[i] - b[i]) / std::max(std::abs(b[i]), smallest);
    worst = off <= worst ? worst : std::isnan(off) ? HUGE_VAL : off;
  }
  return worst;
}

namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();

/// Largest difference of a d x d matrix from the identity; infinite for NaN.
double off_identity(const std::vector<double>& m, std::int64_t d) {
  double worst = 0;
  for (std::int64_t j = 0; j < d; ++j) {
    for (std::int64_t i = 0; i < d; ++i) {
      const double off = std::abs(m[static_cast<std::size_t>(i + j * d)] - (i == j ? 1 : 0));
      worst = off <= worst ? worst : std::isnan(off) ? HUGE_VAL : off;
    }
  }
  return worst;
}

void check_spectrum(Checks& checks, InputFile& file, const FileContents& contents, const std::vector<double>& gamma,
                    std::int64_t views, std::int64_t modes) {
  const bool descending = std::ranges::is_sorted(gamma, std::greater<>()) &&
                          std::ranges::all_of(gamma, [](double x) { return std::isfinite(x); });
  checks.add("gamma descends", descending,
             fmt::format("{} of them, from {:.6g}", gamma.size(), gamma.empty() ? 0 : gamma.front()));
  const double floor = file.numbers("/diagnostics/noise_floor").front();
  if (modes > 0) {
    const double last = gamma[static_cast<std::size_t>(modes - 1)];
    checks.add("modes above the noise floor", last > floor,
               fmt::format("gamma_{} = {:.3g}, above {:.1e}", modes, last, floor));
  }
  if (!has(contents, "/spectrum/sign_count")) return;
  const auto count = static_cast<std::int64_t>(gamma.size());
  const double largest = std::max(std::abs(gamma.front()), std::abs(gamma.back()));
  const double mean = file.numbers("/diagnostics/mean_pair_kernel").front();
  const double total = std::accumulate(gamma.begin(), gamma.end(), 0.0);
  checks.at_most("sum of gamma - mean pair kernel, over gamma_1", std::abs(total - mean) / largest,
                 100 * static_cast<double>(count) * eps);
  const auto positive = std::ranges::count_if(gamma, [&](double x) { return x > floor; });
  const auto negative = std::ranges::count_if(gamma, [&](double x) { return x < -floor; });
  const std::vector<std::int64_t> found{negative, count - negative - positive, positive};
  checks.add("signs of gamma", found == file.integers("/spectrum/sign_count") && positive <= count / views,
             fmt::format("{} positive, {} negative, {} about zero; at most {} positive", positive, negative, found[1],
                         count / views));
  if (!has(contents, "/spectrum/kernel_eigenvalues")) return;
  const std::vector<double> values = file.numbers("/spectrum/kernel_eigenvalues");
  checks.add("eigenvalues of the kernel descend", std::ranges::is_sorted(values, std::greater<>()),
             fmt::format("{:.6g} to {:.2g}", values.front(), values.back()));
}

/// max |C - I| and max |A^T K A - I|, the latter with K A = F^T S^-1.
void check_embeddings(Checks& checks, const Communicator& comm, InputFile& file, const std::string& path,
                      const std::vector<double>& gamma, std::int64_t views) {
  Embedding embedding{gamma, read_paired(comm, path, "/modes/dual", views),
                      read_paired(comm, path, "/embeddings/train", views), Pairing{views}};
  const std::int64_t d = embedding.train.width;
  const double residual = std::ranges::max(file.numbers("/diagnostics/residual"));
  checks.at_most("residuals |T a - gamma a|_K / gamma_1, as stored", residual, 1e-6);
  const double allowed = 1e-9 + 10 * residual * gamma.front() / gamma.back();
  const double whiteness = whiteness_error(embedding, comm);
  const double stored = file.numbers("/diagnostics/whiteness_error").front();
  checks.at_most("C = I, max |F B F^T / c - I|", whiteness, allowed);
  checks.at_most("the same, off what is stored", std::abs(whiteness - stored), 1e-11);
  std::vector<double> product(static_cast<std::size_t>(d * d));
  BlockVector image = embedding.train;
  std::vector<double> roots;
  for (const double x : gamma) roots.push_back(std::sqrt(x));
  scale_vectors(image, roots);
  gemm(1, Transpose::no, image.local(), Transpose::yes, embedding.dual.local(), 0, {product.data(), d, d, d});
  sum(comm, product);
  checks.at_most("a_i^T K a_j = 1 or 0, dual with embeddings", off_identity(product, d), allowed);
  double least = HUGE_VAL;  // the convention: the largest |f_j| is positive, up to equals
  const auto f = embedding.train.local();
  for (std::int64_t j = 0; j < d; ++j) {
    double top = 0;
    double bottom = 0;
    for (std::int64_t s = 0; s < f.cols; ++s) {
      top = std::max(top, f(j, s));
      bottom = std::min(bottom, f(j, s));
    }
    top = max(comm, top);
    bottom = -max(comm, -bottom);
    if (bottom < 0) least = std::min(least, top / -bottom);
  }
  checks.add("signs of the modes", least >= 1 - 1e-5, fmt::format("largest f_j / largest -f_j at least {:.4f}", least));
}

void check_times(Checks& checks, const Communicator& comm, InputFile& file, const std::string& path,
                 const std::vector<double>& gamma) {
  constexpr double rounding = 1e-11;
  const std::vector<double> s0 = file.numbers("/timescales/s0");
  const double alpha = read_model(comm, file, path).config.dynamics.alpha;
  checks.at_most("s0 = alpha sqrt(d - j + 1)",
                 relative_difference(s0, small_random_initialisation(alpha, std::ssize(gamma))), rounding);
  if (s0.size() != gamma.size()) return;
  std::vector<double> tau;
  std::vector<double> half;
  for (std::size_t j = 0; j < gamma.size(); ++j) {
    tau.push_back(timescale(gamma[j], s0[j]));
    half.push_back(half_rise(gamma[j], s0[j]));
  }
  checks.at_most("tau from gamma and s0", relative_difference(file.numbers("/timescales/tau"), tau), rounding);
  checks.at_most("half_rise from gamma and s0", relative_difference(file.numbers("/timescales/half_rise"), half),
                 rounding);
  const std::vector<double> time = file.numbers("/dynamics/time");
  checks.add("time ascends from 0", !time.empty() && time.front() == 0 && std::ranges::is_sorted(time),
             fmt::format("{} points", time.size()));
  const Trajectory expected = trajectory(gamma, s0, time);
  checks.at_most("lambda_j(t) from gamma and s0",
                 relative_difference(file.numbers("/dynamics/lambda"), expected.lambda, 1e-300), 1e-9);
  checks.at_most("loss(t) = sum (1 - lambda_j)^2",
                 relative_difference(file.numbers("/dynamics/loss"), expected.loss, 1e-6), rounding);
  const double norm = file.numbers("/diagnostics/rkhs_norm_squared").front();
  checks.at_most("RKHS norm, sum of 1 / gamma_j", relative_difference({norm}, {rkhs_norm_squared(gamma)}), rounding);
}

/// Rows of a kernel that is in the file: symmetric, and K A = F^T S^-1.
void check_saved_kernel(Checks& checks, const Communicator& comm, const std::string& path, std::vector<double> gamma) {
  constexpr std::int64_t most_rows = 1024;
  const auto [asymmetry, off] = attempt(comm, [&] {
    const StoredMatrix k = open_sample_rows(path, {"/kernel/train"}).matrix;
    const StoredMatrix dual = open_sample_rows(path, {"/modes/dual"}).matrix;
    const StoredMatrix train = open_sample_rows(path, {"/embeddings/train"}).matrix;
    const std::int64_t n = k.rows;
    const std::int64_t d = dual.cols;
    const std::int64_t step = ceil_div(n, most_rows);
    std::vector<double> a(static_cast<std::size_t>(n * d));
    dual.read({0, n}, {0, d}, {a.data(), n, d, n});
    std::vector<double> row(static_cast<std::size_t>(n));
    std::vector<double> col(row.size());
    std::vector<double> f(static_cast<std::size_t>(d));
    double unequal = 0;
    double worst = 0;
    for (std::int64_t i = step * comm.rank(); i < n; i += step * comm.size()) {
      k.read({i, i + 1}, {0, n}, {row.data(), 1, n, 1});
      k.read({0, n}, {i, i + 1}, {col.data(), n, 1, n});
      train.read({i, i + 1}, {0, d}, {f.data(), 1, d, 1});
      for (std::size_t s = 0; s < row.size(); ++s) unequal = std::max(unequal, std::abs(row[s] - col[s]));
      for (std::int64_t j = 0; j < d; ++j) {
        const auto m = static_cast<std::size_t>(j);
        const double image = std::inner_product(row.begin(), row.end(), a.begin() + j * n, 0.0);
        const double difference = std::abs(image / std::sqrt(gamma[m]) - f[m]);
        worst = difference <= worst ? worst : std::isnan(difference) ? HUGE_VAL : difference;
      }
    }
    return std::pair(unequal, worst);
  });
  checks.at_most("saved kernel is symmetric", max(comm, asymmetry), 0);
  checks.at_most("embeddings from the saved kernel and dual", max(comm, off), 1e-6);
}

}  // namespace

void check_numbers(Checks& checks, const Communicator& comm, const std::string& path, const FileContents& contents) {
  InputFile file(comm, path);
  std::vector<double> gamma = file.numbers("/spectrum/gamma");
  const auto views_of = [&] {
    const auto entry = std::ranges::find(contents.datasets, "/embeddings/train", &DatasetEntry::path);
    return entry == contents.datasets.end() || entry->extents.size() != 3 ? std::int64_t{2} : entry->extents.front();
  };
  const std::int64_t views = views_of();
  const std::int64_t modes = has(contents, "/modes/dual") ? file.extents("/modes/dual").back() : 0;
  attempt(comm, [&] {
    if (std::ssize(gamma) < std::max<std::int64_t>(modes, 1)) {
      fail(ExitCode::input, "{} modes, but {} gammas", modes, gamma.size());
    }
  });
  checks.section("spectrum", [&] { check_spectrum(checks, file, contents, gamma, views, modes); });
  if (modes == 0) return checks.skip("modes", "the file has none (--modes all)");
  gamma.resize(static_cast<std::size_t>(modes));
  checks.section("embeddings", [&] { check_embeddings(checks, comm, file, path, gamma, views); });
  checks.section("timescales", [&] { check_times(checks, comm, file, path, gamma); });
  const bool positive = !has(contents, "/diagnostics/negative_eigenvalue") ||
                        file.numbers("/diagnostics/negative_eigenvalue").front() >= 0;
  if (has(contents, "/kernel/train") && positive) {  // else the modes are those of its positive part
    checks.section("saved kernel", [&] { check_saved_kernel(checks, comm, path, gamma); });
  }
}

}  // namespace stepwise
