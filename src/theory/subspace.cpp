#include "stepwise/theory/subspace.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "stepwise/core/index.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/dist/lapack.hpp"

namespace stepwise {
namespace {

/// Column-major, of its own memory.
struct Dense {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<double> data = {};

  Dense(std::int64_t m, std::int64_t n) : rows(m), cols(n), data(static_cast<std::size_t>(m * n)) {}
  [[nodiscard]] MatrixView<double> view() noexcept {
    return {data.data(), rows, cols, std::max<std::int64_t>(rows, 1)};
  }
  [[nodiscard]] MatrixView<const double> view() const noexcept {
    return {data.data(), rows, cols, std::max<std::int64_t>(rows, 1)};
  }
  double& operator()(std::int64_t i, std::int64_t j) { return data[static_cast<std::size_t>(i + j * rows)]; }
  double operator()(std::int64_t i, std::int64_t j) const { return data[static_cast<std::size_t>(i + j * rows)]; }
};

/// The n x n factor R of QR of a tall or wide matrix; with zeros below where it has fewer rows.
Dense upper_factor(const Dense& a) {
  const std::vector<double> upper = qr_factors(a.view(), false).r;
  const std::int64_t rows = std::min(a.rows, a.cols);
  Dense r(a.cols, a.cols);
  for (std::int64_t j = 0; j < a.cols; ++j) {
    for (std::int64_t i = 0; i < std::min(j + 1, rows); ++i) r(i, j) = upper[static_cast<std::size_t>(i + j * rows)];
  }
  return r;
}

/// R of the QR factorisation of the samples of all ranks, each sample a row; the same bits on every rank. Collective.
Dense tall_factor(const BlockVector& f, const Communicator& comm) {
  const std::int64_t d = f.width;
  Dense r = attempt(comm, [&] {
    Dense rows(f.range.size(), d);
    const auto local = f.local();
    for (std::int64_t s = 0; s < local.cols; ++s) {
      for (std::int64_t j = 0; j < d; ++j) rows(s, j) = local(j, s);
    }
    return upper_factor(rows);
  });
  const int count = attempt(comm, [&] { return narrow(d * d, "numbers of a triangular factor"); });
  for (int step = 1; step < comm.size(); step *= 2) {
    if (comm.rank() % (2 * step) == step) {
      MPI_Send(r.data.data(), count, MPI_DOUBLE, comm.rank() - step, 0, comm.raw());
      break;
    }
    if (comm.rank() + step >= comm.size()) continue;
    Dense other(d, d);
    MPI_Recv(other.data.data(), count, MPI_DOUBLE, comm.rank() + step, 0, comm.raw(), MPI_STATUS_IGNORE);
    Dense both(2 * d, d);
    for (std::int64_t j = 0; j < d; ++j) {
      for (std::int64_t i = 0; i < d; ++i) {
        both(i, j) = r(i, j);
        both(d + i, j) = other(i, j);
      }
    }
    r = upper_factor(both);
  }
  broadcast(comm, r.data);
  return r;
}

/// Singular values, descending, and where wanted right singular vectors as rows of `vt`; computed by rank 0 for all.
/// The same bits on every rank. Collective.
SingularValues agreed_singular_values(const Dense& a, bool vectors, const Communicator& comm) {
  SingularValues svd{std::vector<double>(static_cast<std::size_t>(std::min(a.rows, a.cols))),
                     std::vector<double>(static_cast<std::size_t>(vectors ? a.cols * a.cols : 0))};
  attempt_on_root(comm, [&] { svd = singular_values(a.view(), vectors); });
  broadcast(comm, svd.values);
  broadcast(comm, svd.vt);
  return svd;
}

/// Which columns of an upper triangular factor add something to those before, and the factor of these alone.
struct Chosen {
  std::vector<std::int64_t> kept;
  std::vector<std::int64_t> dropped;
  std::vector<std::vector<double>> factor;  ///< column by column, as long as it has entries
};
Chosen independent_columns(const Dense& r, double tolerance) {
  Chosen chosen;
  std::vector<std::vector<double>> q;
  const auto norm = [](const std::vector<double>& v) {
    return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
  };
  for (std::int64_t j = 0; j < r.cols; ++j) {
    std::vector<double> v(r.data.begin() + j * r.rows, r.data.begin() + (j + 1) * r.rows);
    const double length = norm(v);
    std::vector<double> coefficients(q.size() + 1);
    for (int pass = 0; pass < 2; ++pass) {  // once more for what the first has rounded off
      for (std::size_t i = 0; i < q.size(); ++i) {
        const double along = std::inner_product(v.begin(), v.end(), q[i].begin(), 0.0);
        coefficients[i] += along;
        for (std::size_t k = 0; k < v.size(); ++k) v[k] -= along * q[i][k];
      }
    }
    const double rest = norm(v);
    if (!(rest > tolerance * length)) {
      chosen.dropped.push_back(j);
      continue;
    }
    chosen.kept.push_back(j);
    coefficients.back() = rest;
    chosen.factor.push_back(std::move(coefficients));
    for (double& x : v) x /= rest;
    q.push_back(std::move(v));
  }
  return chosen;
}

/// Rows of V R^-1 for the rows of V: V^T <- R^-T V^T. Local.
void divide_by(BlockVector& v, const Dense& r) {
  solve_transposed_upper({r.data.data(), r.rows, r.cols, r.rows}, v.local());
}

BlockVector with_width(const BlockVector& like, std::int64_t width) {
  return {like.samples, width, like.range, std::vector<double>(static_cast<std::size_t>(width * like.range.size()))};
}

/// Lengths of the dimensions over all samples; scaled so that no square overflows. Collective.
std::vector<double> lengths(const BlockVector& f, const Communicator& comm) {
  double largest = 0;
  for (const double x : f.data) largest = std::isfinite(x) ? std::max(largest, std::abs(x)) : HUGE_VAL;
  largest = max(comm, largest);
  if (!std::isfinite(largest)) {
    throw CollectiveError(ExitCode::input, "an embedding holds NaN or infinite numbers: remove those samples");
  }
  std::vector<double> result(static_cast<std::size_t>(f.width));
  const auto local = f.local();
  const double unit = largest > 0 ? largest : 1;
  for (std::int64_t s = 0; s < local.cols; ++s) {
    for (std::int64_t j = 0; j < f.width; ++j) {
      result[static_cast<std::size_t>(j)] += (local(j, s) / unit) * (local(j, s) / unit);
    }
  }
  sum(comm, result);
  for (double& x : result) x = std::sqrt(x) * unit;
  return result;
}

/// Dimensions of equal length, then those that R says are independent, divided by their factor.
SubspaceBasis basis_as_given(BlockVector f, const std::vector<double>& norms, double tolerance,
                             const Communicator& comm) {
  std::vector<double> factors;
  for (const double norm : norms) factors.push_back(norm > 0 ? 1 / norm : 0);
  scale_vectors(f, factors);
  Chosen chosen = independent_columns(tall_factor(f, comm), tolerance);
  const auto rank = static_cast<std::int64_t>(chosen.kept.size());
  SubspaceBasis basis{attempt(comm, [&] { return with_width(f, rank); }), std::move(chosen.kept),
                      std::move(chosen.dropped)};
  Dense r(rank, rank);
  for (std::int64_t j = 0; j < rank; ++j) {
    for (std::int64_t i = 0; i <= j; ++i)
      r(i, j) = chosen.factor[static_cast<std::size_t>(j)][static_cast<std::size_t>(i)];
    const std::int64_t from = basis.kept[static_cast<std::size_t>(j)];
    for (std::int64_t s = 0; s < f.range.size(); ++s) basis.q.local()(j, s) = f.local()(from, s);
  }
  divide_by(basis.q, r);
  return basis;
}

/// F V S^-1 with the singular vectors of R.
SubspaceBasis principal_basis(BlockVector f, double largest, double tolerance, const Communicator& comm) {
  scale_vectors(f, std::vector<double>(static_cast<std::size_t>(f.width), largest > 0 ? 1 / largest : 0));
  const SingularValues svd = agreed_singular_values(tall_factor(f, comm), true, comm);
  SubspaceBasis basis;
  for (std::int64_t j = 0; j < f.width; ++j) {
    const double value = svd.values[static_cast<std::size_t>(j)];
    (value > tolerance * svd.values.front() ? basis.kept : basis.dropped).push_back(j);
  }
  const auto rank = static_cast<std::int64_t>(basis.kept.size());
  basis.q = attempt(comm, [&] { return with_width(f, rank); });
  if (rank == 0) return basis;
  Dense weights(rank, f.width);
  for (std::int64_t i = 0; i < rank; ++i) {
    for (std::int64_t j = 0; j < f.width; ++j)
      weights(i, j) = svd.vt[static_cast<std::size_t>(i + j * f.width)] / svd.values[static_cast<std::size_t>(i)];
  }
  gemm(1, Transpose::no, weights.view(), Transpose::no, f.local(), 0, basis.q.local());
  return basis;
}

/// U^T V over all samples. Collective.
Dense inner_products(const BlockVector& u, const BlockVector& v, const Communicator& comm) {
  Dense m(u.width, v.width);
  gemm(1, Transpose::no, u.local(), Transpose::yes, v.local(), 0, m.view());
  sum(comm, m.data);
  return m;
}

/// Angles between a basis and one that is not larger. Collective.
std::vector<double> principal_angles(const BlockVector& larger, const BlockVector& smaller, const Dense& products,
                                     const Communicator& comm) {
  const std::vector<double> cosines = agreed_singular_values(products, false, comm).values;
  BlockVector rest = attempt(comm, [&] { return smaller; });  // what is outside the larger one: its length is a sine
  gemm(-1, Transpose::yes, {products.data.data(), products.rows, products.cols, products.rows}, Transpose::no,
       larger.local(), 1, rest.local());
  const std::vector<double> sines = agreed_singular_values(tall_factor(rest, comm), false, comm).values;
  std::vector<double> angles;
  for (std::size_t i = 0; i < cosines.size(); ++i) {
    const double cosine = std::min(cosines[i], 1.0);
    const double sine = std::min(sines[sines.size() - 1 - i], 1.0);
    angles.push_back(cosine * cosine > 0.5 ? std::asin(sine) : std::acos(cosine));
  }
  return angles;
}

}  // namespace

SubspaceBasis orthonormal_basis(const BlockVector& embedding, double tolerance, BasisOrder order,
                                const Communicator& comm) {
  const std::vector<double> norms = lengths(embedding, comm);
  const double largest = norms.empty() ? 0 : *std::max_element(norms.begin(), norms.end());
  BlockVector copy = attempt(comm, [&] { return embedding; });
  SubspaceBasis basis = order == BasisOrder::given ? basis_as_given(std::move(copy), norms, tolerance, comm)
                                                   : principal_basis(std::move(copy), largest, tolerance, comm);
  // Dividing by a factor of large condition number loses orthogonality; a second time its condition number is near one.
  if (basis.q.width > 0) divide_by(basis.q, tall_factor(basis.q, comm));
  return basis;
}

SubspaceAlignment compare_subspaces(const SubspaceBasis& first, const SubspaceBasis& second, const Communicator& comm) {
  attempt(comm, [&] {
    if (first.q.samples != second.q.samples || first.q.range != second.q.range) {
      fail(ExitCode::internal, "subspaces over {} and {} samples, or dealt out differently", first.q.samples,
           second.q.samples);
    }
  });
  const std::int64_t d1 = first.q.width;
  const std::int64_t d2 = second.q.width;
  const std::int64_t d = std::min(d1, d2);
  SubspaceAlignment result;
  const Dense m = inner_products(first.q, second.q, comm);
  double both = 0;
  double rows = 0;
  double cols = 0;
  for (std::int64_t k = 0; k < std::max(d1, d2); ++k) {
    for (std::int64_t i = 0; k < d && i <= k; ++i) both += m(i, k) * m(i, k) + (i < k ? m(k, i) * m(k, i) : 0);
    for (std::int64_t j = 0; k < d1 && j < d2; ++j) rows += m(k, j) * m(k, j);
    for (std::int64_t i = 0; k < d2 && i < d1; ++i) cols += m(i, k) * m(i, k);
    if (k < d) result.both.push_back(both / static_cast<double>(k + 1));
    if (k < d1) result.first_in_second.push_back(rows / static_cast<double>(std::min(k + 1, d2)));
    if (k < d2) result.second_in_first.push_back(cols / static_cast<double>(std::min(k + 1, d1)));
  }
  result.overall = d > 0 ? rows / static_cast<double>(d) : 0;
  if (d1 >= d2) {
    result.angles = principal_angles(first.q, second.q, m, comm);
  } else {
    result.angles = principal_angles(second.q, first.q, inner_products(second.q, first.q, comm), comm);
  }
  return result;
}

ChanceAlignment chance_alignment(std::int64_t n, std::int64_t p, std::int64_t q) {
  const auto [size, a, b] = std::array{static_cast<double>(n), static_cast<double>(p), static_cast<double>(q)};
  const double least = std::min(a, b);
  if (n < 2) return {1, 0};
  return {std::max(a, b) / size,
          std::sqrt(2 * a * b * (size - a) * (size - b) / (size * size * (size - 1) * (size + 2))) / least};
}

}  // namespace stepwise
