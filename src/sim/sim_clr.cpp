#include <algorithm>
#include <cmath>

#include "sim/pair_losses.hpp"
#include "stepwise/dist/exchange.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

using Matrix = std::vector<double>;

constexpr std::int64_t most_rows = 256;
constexpr double smallest_norm = 1e-12;  // of an embedding; shorter ones are not made longer than this allows

/// What every rank knows: directions of all embeddings, and this rank's place among them.
struct Directions {
  std::int64_t dimensions;
  std::int64_t first;
  std::vector<std::int64_t> counts;  ///< samples of each rank
  Matrix own;
  Matrix norms;  ///< of this rank's embeddings
  Matrix all;

  [[nodiscard]] std::int64_t total() const { return std::ssize(all) / dimensions; }
};

Directions directions(const PairBatch& batch) {
  const std::int64_t d = batch.f.rows;
  Directions result{d, 0, {}, {}, {}, {}};
  result.counts.assign(static_cast<std::size_t>(batch.comm.size()), 0);
  result.counts[static_cast<std::size_t>(batch.comm.rank())] = batch.f.cols;
  sum(batch.comm, result.counts);
  std::vector<std::int64_t> lengths;
  std::int64_t total = 0;
  for (std::int64_t count : result.counts) {
    if (std::ssize(lengths) == batch.comm.rank()) result.first = total;
    lengths.push_back(count * d);
    total += count;
  }
  for (std::int64_t s = 0; s < batch.f.cols; ++s) {
    double square = 0;
    for (std::int64_t j = 0; j < d; ++j) square += batch.f(j, s) * batch.f(j, s);
    result.norms.push_back(std::max(std::sqrt(square), smallest_norm));
    for (std::int64_t j = 0; j < d; ++j) result.own.push_back(batch.f(j, s) / result.norms.back());
  }
  result.all.resize(static_cast<std::size_t>(total * d));
  gather(batch.comm, result.own, lengths, result.all);
  return result;
}

/// E_ij = exp((cos_ij - 1) / T), 0 for i = j, for some of this rank's samples i (columns) and all j. Its cosines stay
/// in `cosines` where asked for.
void similarities(const Directions& z, double temperature, std::int64_t begin, std::int64_t count, Matrix& e) {
  const std::int64_t d = z.dimensions;
  const std::int64_t total = z.total();
  e.resize(static_cast<std::size_t>(total * count));
  gemm(1 / temperature, Transpose::yes, {z.all.data(), d, total, d}, Transpose::no,
       {z.own.data() + begin * d, d, count, d}, 0, {e.data(), total, count, total});
  for (double& x : e) x = std::exp(x - 1 / temperature);
  for (std::int64_t i = 0; i < count; ++i) e[static_cast<std::size_t>(z.first + begin + i + i * total)] = 0;
}

}  // namespace

// With S_i = sum_j E_ij the loss is mean_i (log S_i + 1/T) - mean of the positive cosines / T, and
// dL/dz_i = (1/(N T)) sum_j (E_ij / S_i + E_ij / S_j - 2 [j positive] / (V - 1)) z_j.
double sim_clr(const SimClr& loss, const PairBatch& batch, MatrixView<double> gradient) {
  const Directions z = directions(batch);
  const std::int64_t d = z.dimensions;
  const std::int64_t n = batch.f.cols;
  const std::int64_t total = z.total();
  const std::int64_t views = batch.pairing.views;
  const double temperature = loss.temperature;
  Matrix e;
  Matrix own_sums;
  for (std::int64_t begin = 0; begin < n; begin += most_rows) {
    const std::int64_t count = std::min(most_rows, n - begin);
    similarities(z, temperature, begin, count, e);
    for (std::int64_t i = 0; i < count; ++i) {
      double row = 0;
      for (std::int64_t j = 0; j < total; ++j) row += e[static_cast<std::size_t>(j + i * total)];
      own_sums.push_back(row);
    }
  }
  Matrix sums(static_cast<std::size_t>(total));
  gather(batch.comm, own_sums, z.counts, sums);

  Matrix partners = z.own;  // sum of the directions of the other views
  apply_pairing(batch.pairing, {partners.data(), d, n, d});
  const double others = static_cast<double>(views - 1);
  const double scale = 1 / (static_cast<double>(total) * temperature);
  double value = 0;
  for (std::int64_t begin = 0; begin < n; begin += most_rows) {
    const std::int64_t count = std::min(most_rows, n - begin);
    similarities(z, temperature, begin, count, e);
    for (std::int64_t i = 0; i < count; ++i) {
      const double here = 1 / own_sums[static_cast<std::size_t>(begin + i)];
      double* column = e.data() + i * total;
      for (std::int64_t j = 0; j < total; ++j) column[j] *= here + 1 / sums[static_cast<std::size_t>(j)];
    }
    gemm(scale, Transpose::no, {z.all.data(), d, total, d}, Transpose::no, {e.data(), total, count, total}, 0,
         gradient.block(0, begin, d, count));
  }
  for (std::int64_t s = 0; s < n; ++s) {
    const double* own = z.own.data() + s * d;
    const double* partner = partners.data() + s * d;
    double cosine = 0;
    double radial = 0;
    for (std::int64_t j = 0; j < d; ++j) {
      gradient(j, s) -= 2 * scale / others * partner[j];
      cosine += own[j] * partner[j];
      radial += own[j] * gradient(j, s);
    }
    const double norm = z.norms[static_cast<std::size_t>(s)];
    if (norm == smallest_norm) radial = 0;
    for (std::int64_t j = 0; j < d; ++j) gradient(j, s) = (gradient(j, s) - radial * own[j]) / norm;
    value += std::log(own_sums[static_cast<std::size_t>(s)]) + (1 - cosine / others) / temperature;
  }
  return sum(batch.comm, value) / static_cast<double>(total);
}

}  // namespace stepwise
