#include "stepwise/dist/pblas.hpp"

#include <algorithm>

#include "dist/scalapack_abi.hpp"
#include "stepwise/core/error.hpp"

/// The depth of the products that PBLAS cuts its work into, a function that users are meant to replace (PBLAS source,
/// pilaenv.f). Its own answer, 32, halves the speed of a modern GEMM kernel (docs/performance.md).
extern "C" int pilaenv_(const int* /*context*/, const char* /*precision*/) {
  return 256;
}

namespace stepwise {
namespace {

constexpr int one = 1;

std::int64_t op_rows(Transpose op, const DistMatrix& a) {
  return op == Transpose::no ? a.rows() : a.cols();
}
std::int64_t op_cols(Transpose op, const DistMatrix& a) {
  return op == Transpose::no ? a.cols() : a.rows();
}

/// ScaLAPACK prints its complaint on some ranks and returns, which leaves the others waiting: find mistakes first.
void require(bool good, const char* operation) {
  if (!good) fail(ExitCode::internal, "{}: shapes, grids or block sizes do not match", operation);
}

bool compatible(const DistMatrix& a, const DistMatrix& b) {
  return a.shared_grid() == b.shared_grid() && a.block() == b.block();
}

}  // namespace

void multiply(double alpha, Transpose op_a, const DistMatrix& a, Transpose op_b, const DistMatrix& b, DistMatrix& c) {
  require(compatible(a, b) && compatible(a, c) && op_rows(op_a, a) == c.rows() && op_cols(op_b, b) == c.cols() &&
              op_cols(op_a, a) == op_rows(op_b, b),
          "multiply");
  const char ta = static_cast<char>(op_a);
  const char tb = static_cast<char>(op_b);
  const int m = static_cast<int>(c.rows());  // every DistMatrix has dimensions below 2^31
  const int n = static_cast<int>(c.cols());
  const int k = static_cast<int>(op_cols(op_a, a));
  const double beta = 0;
  pdgemm_(&ta, &tb, &m, &n, &k, &alpha, a.local().data, &one, &one, a.descriptor().data(), b.local().data, &one, &one,
          b.descriptor().data(), &beta, c.local().data, &one, &one, c.descriptor().data());
}

void multiply_lower_transposed(double alpha, const DistMatrix& l, const DistMatrix& b, DistMatrix& c) {
  require(compatible(l, b) && compatible(l, c) && l.rows() == l.cols() && l.rows() == b.rows() &&
              b.cols() == l.cols() && c.rows() == l.rows() && c.cols() == l.cols(),
          "multiply_lower_transposed");
  // Rows [begin, end) of C need only rows from `begin` on of L and B. Few slices keep the products large, and each must
  // reach every process.
  constexpr std::int64_t slices = 10;
  const std::int64_t n = l.rows();
  const std::int64_t round = l.block() * std::max(l.grid().shape().rows, l.grid().shape().cols);
  const std::int64_t width = std::max(ceil_div(ceil_div(n, slices), round), std::int64_t{1}) * round;
  const double beta = 0;
  for (std::int64_t begin = 0; begin < n; begin += width) {
    const std::int64_t end = std::min(begin + width, n);
    const int rows = static_cast<int>(end - begin);
    const int cols = static_cast<int>(end);
    const int depth = static_cast<int>(n - begin);
    const int first = static_cast<int>(begin + 1);
    pdgemm_("T", "N", &rows, &cols, &depth, &alpha, l.local().data, &first, &first, l.descriptor().data(),
            b.local().data, &first, &one, b.descriptor().data(), &beta, c.local().data, &first, &one,
            c.descriptor().data());
  }
}

void mirror_lower(DistMatrix& a) {
  require(a.rows() == a.cols(), "mirror_lower");
  const std::int64_t n = a.rows();
  const std::int64_t nb = a.block();
  // Diagonal blocks lie on one rank each.
  const auto local = a.local();
  for (std::int64_t begin = 0; begin < n; begin += nb) {
    if (a.row_map().owner(Global{begin}) != a.grid().row() || a.col_map().owner(Global{begin}) != a.grid().col())
      continue;
    const std::int64_t width = std::min(nb, n - begin);
    const auto block = local.block(value(a.row_map().to_local(Global{begin})),
                                   value(a.col_map().to_local(Global{begin})), width, width);
    for (std::int64_t j = 0; j < width; ++j) {
      for (std::int64_t i = 0; i < j; ++i) block(i, j) = block(j, i);
    }
  }
  // Off the diagonal source and target are disjoint parts of the same matrix.
  for (std::int64_t begin = 0; begin + nb < n; begin += nb) {
    const int width = static_cast<int>(nb);
    const int length = static_cast<int>(n - begin - nb);
    const int here = static_cast<int>(begin + 1);
    const int below = static_cast<int>(begin + nb + 1);
    const double alpha = 1;
    const double beta = 0;
    pdtran_(&width, &length, &alpha, a.local().data, &below, &here, a.descriptor().data(), &beta, a.local().data, &here,
            &below, a.descriptor().data());
  }
}

std::int64_t cholesky(DistMatrix& a) {
  require(a.rows() == a.cols(), "cholesky");
  const int n = static_cast<int>(a.rows());
  int info = 0;
  pdpotrf_("L", &n, a.local().data, &one, &one, a.descriptor().data(), &info);
  if (info < 0) fail(ExitCode::internal, "pdpotrf: argument {} is wrong", -info);
  const std::int64_t failed = max(a.comm(), std::int64_t{info});
  if (failed != 0) return failed;
  const auto local = a.local();
  for (std::int64_t j = 0; j < local.cols; ++j) {
    const std::int64_t above = a.row_map().first_at_least(a.global_col(j), a.grid().row());
    std::fill(local.column(j), local.column(j) + std::min(above, local.rows), 0.0);
  }
  return 0;
}

}  // namespace stepwise
