#include "stepwise/dist/gemm.hpp"

#include <cblas.h>

#include <algorithm>

#include "stepwise/core/index.hpp"

namespace stepwise {
namespace {

CBLAS_TRANSPOSE flag(Transpose op) {
  return op == Transpose::no ? CblasNoTrans : CblasTrans;
}

int dimension(std::int64_t n) {
  return narrow(n, "a local matrix dimension");
}

int stride(std::int64_t n) {
  return dimension(std::max(n, std::int64_t{1}));
}

}  // namespace

void gemm(double alpha, Transpose op_a, MatrixView<const double> a, Transpose op_b, MatrixView<const double> b,
          double beta, MatrixView<double> c) {
  cblas_dgemm(CblasColMajor, flag(op_a), flag(op_b), dimension(c.rows), dimension(c.cols),
              dimension(op_a == Transpose::no ? a.cols : a.rows), alpha, a.data, stride(a.stride), b.data,
              stride(b.stride), beta, c.data, stride(c.stride));
}

void gemm(float alpha, Transpose op_a, MatrixView<const float> a, Transpose op_b, MatrixView<const float> b, float beta,
          MatrixView<float> c) {
  cblas_sgemm(CblasColMajor, flag(op_a), flag(op_b), dimension(c.rows), dimension(c.cols),
              dimension(op_a == Transpose::no ? a.cols : a.rows), alpha, a.data, stride(a.stride), b.data,
              stride(b.stride), beta, c.data, stride(c.stride));
}

}  // namespace stepwise
