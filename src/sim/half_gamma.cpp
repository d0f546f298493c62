#include "sim/half_gamma.hpp"

#include <algorithm>

#include "kernel/threads.hpp"
#include "kernel/tile_product.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t tile_size = 128;  // two tiles fit the second cache

}  // namespace

std::size_t HalfGamma::size(const Tile& tile) {
  return static_cast<std::size_t>(whole_lines<double>(tile.rows.size()) * tile.cols.size());
}

HalfGamma::HalfGamma(const Samples& own, std::int64_t outputs, std::int64_t samples, const Communicator& comm,
                     const Pairing& pairing)
    : comm_(&comm), outputs_(outputs), features_(own.features) {
  // Every rank has the same number of parts, so that all agree on who holds what.
  const std::int64_t threads = max(comm, std::int64_t{thread_count()});
  const std::int64_t parts = threads * comm.size();
  std::vector<std::vector<Tile>> all(static_cast<std::size_t>(parts));
  std::vector<double> paired;
  std::vector<double> mine;
  const auto deal = [&] {
    const std::int64_t strips = ceil_div(features_, tile_size);
    const std::int64_t work = strips * strips;  // a tile on the diagonal counts once, others twice
    std::int64_t done = 0;
    for (std::int64_t i = 0; i < strips; ++i) {
      for (std::int64_t j = 0; j <= i; ++j) {
        const auto range = [&](std::int64_t k) {
          return Range{k * tile_size, std::min((k + 1) * tile_size, features_)};
        };
        all[static_cast<std::size_t>(done * parts / work)].push_back({range(i), range(j)});
        done += i == j ? 1 : 2;
      }
    }
  };
  attempt(comm, [&] {
    deal();
    paired = own.data;
    apply_pairing(pairing, MatrixView<double>{paired.data(), features_, own.count, features_});
    x_.resize(static_cast<std::size_t>(features_ * outputs_));
    sums_.assign(static_cast<std::size_t>(threads), x_);
  });
  for (int rank = 0; rank < comm.size(); ++rank) {
    std::vector<Tile> tiles;
    attempt(comm, [&] {
      std::size_t end = 0;
      for (std::int64_t t = 0; t < threads; ++t) {
        for (Tile& tile : all[static_cast<std::size_t>(rank * threads + t)]) {
          tile.offset = end;
          end += size(tile);
          tiles.push_back(tile);
        }
      }
      mine.assign(end, 0);
      fill(tiles, own, paired, pairing.norm(samples), mine);
      if (rank != comm.rank()) return;
      parts_.assign(all.begin() + rank * threads, all.begin() + (rank + 1) * threads);
      tiles_ = allocate_lines<double>(end);
    });
    sum(comm, mine);
    if (rank == comm.rank()) std::copy(mine.begin(), mine.end(), tiles_.get());
  }
}

/// What this rank's samples contribute to some tiles.
void HalfGamma::fill(const std::vector<Tile>& tiles, const Samples& own, const std::vector<double>& paired, double norm,
                     std::vector<double>& numbers) const {
  const MatrixView<const double> phi{own.data.data(), features_, own.count, features_};
  const MatrixView<const double> b_phi{paired.data(), features_, own.count, features_};
#pragma omp parallel for schedule(dynamic)
  for (std::size_t t = 0; t < tiles.size(); ++t) {
    const auto& [rows, cols, offset] = tiles[t];
    gemm(1 / norm, Transpose::no, phi.block(rows.begin, 0, rows.size(), own.count), Transpose::yes,
         b_phi.block(cols.begin, 0, cols.size(), own.count), 0,
         {numbers.data() + offset, rows.size(), cols.size(), whole_lines<double>(rows.size())});
  }
}

void HalfGamma::multiply(const std::vector<Tile>& tiles, double* sums) const {
  const MatrixView<const double> x{x_.data(), features_, outputs_, features_};
  const MatrixView<double> y{sums, features_, outputs_, features_};
  std::fill_n(sums, x_.size(), 0.0);
  const auto of = [&](const auto& matrix, Range rows) { return matrix.block(rows.begin, 0, rows.size(), outputs_); };
  for (const auto& [rows, cols, offset] : tiles) {
    const MatrixView<const double> tile{tiles_.get() + offset, rows.size(), cols.size(),
                                        whole_lines<double>(rows.size())};
    if (rows == cols) {
      multiply_tile(tile, of(x, cols), of(y, rows));
    } else {
      multiply_tile_twice(tile, of(x, cols), of(y, rows), of(x, rows), of(y, cols));
    }
  }
}

void HalfGamma::operator()(MatrixView<const double> x, MatrixView<double> y) {
  for (std::int64_t k = 0; k < features_; ++k) {
    for (std::int64_t j = 0; j < outputs_; ++j) x_[static_cast<std::size_t>(k + j * features_)] = x(j, k);
  }
#pragma omp parallel for schedule(static, 1)
  for (std::size_t t = 0; t < parts_.size(); ++t) multiply(parts_[t], sums_[t].data());
  for (std::int64_t k = 0; k < features_; ++k) {
    for (std::int64_t j = 0; j < outputs_; ++j) {
      double total = 0;
      for (const auto& part : sums_) total += part[static_cast<std::size_t>(k + j * features_)];
      y(j, k) = total;
    }
  }
  sum(*comm_, {y.data, static_cast<std::size_t>(outputs_ * features_)});
}

}  // namespace stepwise
