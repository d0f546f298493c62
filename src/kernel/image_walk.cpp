#include "kernel/image_walk.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "kernel/image_signals.hpp"

namespace stepwise {
namespace {

std::size_t size_of(std::int64_t numbers) {
  return static_cast<std::size_t>(numbers);
}

/// The rectifier that an activation is, if it is one.
template <class T>
std::optional<RectifierStep<T>> rectifier(const Activation& activation) {
  constexpr double pi = std::numbers::pi;
  if (const auto* f = std::get_if<Rectifier>(&activation)) {
    const double jump = 1 - f->negative_slope;
    return RectifierStep<T>{static_cast<T>(f->gain()), static_cast<T>(jump * jump / (2 * pi)), f->negative_slope == -1};
  }
  if (const auto* f = std::get_if<ArcCosine>(&activation); f != nullptr && f->order == 1) {
    return RectifierStep<T>{1, static_cast<T>(1 / pi), false};
  }
  return std::nullopt;
}

template <class T>
std::vector<T> one_lane(const std::vector<T>& all, std::int64_t lane) {
  std::vector<T> result(all.size());
  for (std::size_t i = 0; i < all.size(); i += size_of(lanes<T>)) {
    std::fill_n(result.begin() + static_cast<std::ptrdiff_t>(i), lanes<T>, all[i + size_of(lane)]);
  }
  return result;
}

}  // namespace

/// The pixels p of x that have a partner p' = p + offset in y, row by row.
template <class T>
struct ImageWalk<T>::Region {
  std::size_t stage;
  std::int64_t height;  ///< of the images
  std::int64_t width;
  Offset offset;
  bool circular;
  std::int64_t y0;  ///< the first p
  std::int64_t x0;
  Field<T> distance;
  Field<T> ntk;

  /// A piece of a row of the region with its partners next to each other.
  struct Piece {
    std::int64_t count;
    std::int64_t p;        ///< its first pixel in x
    std::int64_t partner;  ///< and in y
    T* distance;
    T* ntk;
  };
  template <class Work>
  void each_piece(const Work& work) const {
    for (std::int64_t row = 0; row < distance.rows; ++row) {
      const std::int64_t y = y0 + row;
      const std::int64_t partner_y = (y + offset.dy) % height;
      // With circular padding the partners start again at the edge.
      const std::int64_t cut = circular ? width - offset.dx : distance.cols;
      for (const Range part : {Range{0, std::min(cut, distance.cols)}, Range{cut, distance.cols}}) {
        if (part.end <= part.begin) continue;
        const std::int64_t x = x0 + part.begin;
        work(Piece{part.size(), y * width + x, partner_y * width + (x + offset.dx) % width,
                   distance.row(row) + part.begin * lanes<T>, ntk.row(row) + part.begin * lanes<T>});
      }
    }
  }

  /// What a convolution sees around the region: of a pair with one pixel outside, the other's square alone; with
  /// circular padding the far side.
  void fill_margin(std::int64_t radius, const T* r, const T* s, bool with_ntk) const {
    if (radius == 0) return;
    const std::int64_t rows = distance.rows;
    const std::int64_t cols = distance.cols;
    for (std::int64_t row = -radius; row < rows + radius; ++row) {
      const bool inner = row >= 0 && row < rows;
      for (std::int64_t col = -radius; col < cols + radius; ++col) {
        if (inner && col == 0) col = cols;
        T* to = distance.row(row) + col * lanes<T>;
        T* to_ntk = ntk.row(row) + col * lanes<T>;
        if (circular) {
          const std::int64_t from = (col + cols) % cols * lanes<T>;
          std::copy_n(distance.row((row + rows) % rows) + from, lanes<T>, to);
          if (with_ntk) std::copy_n(ntk.row((row + rows) % rows) + from, lanes<T>, to_ntk);
          continue;
        }
        std::fill_n(to, lanes<T>, T{0});
        if (with_ntk) std::fill_n(to_ntk, lanes<T>, T{0});
        const auto add_square = [&](const T* length, std::int64_t y, std::int64_t x) {
          if (y < 0 || y >= height || x < 0 || x >= width) return;
          const T* from = length + (y * width + x) * lanes<T>;
          for (std::int64_t l = 0; l < lanes<T>; ++l) to[l] += from[l] * from[l];
        };
        add_square(r, y0 + row, x0 + col);
        add_square(s, y0 + row + offset.dy, x0 + col + offset.dx);
      }
    }
  }
};

template <class T>
ImageGroup<T> spread(const ImageGroup<T>& group, std::int64_t lane) {
  ImageGroup<T> result;
  result.inputs = one_lane(group.inputs, lane);
  for (const auto& stage : group.lengths) {
    auto& lengths = result.lengths.emplace_back();
    for (const auto& layer : stage) lengths.push_back(one_lane(layer, lane));
  }
  result.readout.assign(size_of(lanes<T>), group.readout[size_of(lane)]);
  return result;
}

template <class T>
ImageWalk<T>::ImageWalk(const ImagePlan& plan, NetworkKernel which)
    : plan_(plan),
      ntk_(which == NetworkKernel::ntk),
      readout_offsets_(needed_offsets(plan, plan.stages.size() - 1, plan.global)) {
  std::int64_t largest = 0;
  for (const ImageStage& stage : plan.stages) {
    const std::int64_t margins = 2 * stage.margin();
    largest = std::max(largest, (stage.height + margins) * (stage.width + margins));
  }
  for (auto* field : {&distance_, &tangent_, &scratch_}) field->resize(size_of(largest * lanes<T>));
  for (std::size_t k = 0; k + 1 < plan.stages.size(); ++k) {
    diagonal_offsets_.push_back(needed_offsets(plan, k, false));
    const std::int64_t pixels = plan.stages[k + 1].pixels();
    const std::vector<T> zeros(size_of(pixels * pixels * lanes<T>));
    pooled_.push_back({zeros, zeros});
  }
}

template <class T>
auto ImageWalk<T>::region(std::size_t k, Offset offset) -> Region {
  const ImageStage& stage = plan_.stages[k];
  const bool circular = plan_.circular;
  const std::int64_t rows = circular ? stage.height : stage.height - std::abs(offset.dy);
  const std::int64_t cols = circular ? stage.width : stage.width - std::abs(offset.dx);
  const std::int64_t y0 = circular ? 0 : std::max<std::int64_t>(0, -offset.dy);
  const std::int64_t x0 = circular ? 0 : std::max<std::int64_t>(0, -offset.dx);
  const std::int64_t margin = stage.margin();
  return {k,
          stage.height,
          stage.width,
          offset,
          circular,
          y0,
          x0,
          {distance_.data(), rows, cols, margin},
          {tangent_.data(), rows, cols, margin}};
}

/// The state of the region's pairs as it enters the stage: from the inputs, or from what was pooled.
template <class T>
void ImageWalk<T>::load(const ImageGroup<T>& x, const ImageGroup<T>& y, const Region& region) const {
  if (region.stage == 0) {
    const std::int64_t pixels = plan_.stages.front().pixels();
    const T scale = 1 / static_cast<T>(plan_.channels);
    region.each_piece([&](const auto& piece) {
      input_distances(piece.count, plan_.channels, scale, x.inputs.data() + piece.p * lanes<T>, pixels,
                      y.inputs.data() + piece.partner * lanes<T>, pixels, piece.distance);
      std::fill_n(piece.ntk, piece.count * lanes<T>, T{0});
    });
    return;
  }
  const Pooled& pooled = pooled_[region.stage - 1];
  const std::int64_t size = plan_.stages[region.stage - 1].pool;
  const T scale = 1 / static_cast<T>(size * size * size * size);
  const std::int64_t dy = (region.offset.dy + region.height) % region.height;
  const std::int64_t dx = (region.offset.dx + region.width) % region.width;
  const std::int64_t slice = (dy * region.width + dx) * region.height * region.width;
  const T* r = x.before(region.stage, 0);
  const T* s = y.before(region.stage, 0);
  region.each_piece([&](const auto& piece) {
    const std::int64_t from = (slice + piece.p) * lanes<T>;
    from_covariances(piece.count, scale, r + piece.p * lanes<T>, s + piece.partner * lanes<T>, pooled.c.data() + from,
                     pooled.ntk.data() + from, piece.distance, piece.ntk);
  });
}

template <class T>
void ImageWalk<T>::convolve(const ConvLayer& layer, const Region& region, const T* r, const T* s) {
  const std::int64_t radius = layer.size / 2;
  const T share = 1 / static_cast<T>(layer.size * layer.size);
  const auto weight = static_cast<T>(layer.affine.weight_variance);
  const TangentWeights tangent = layer.affine.tangent_weights();
  if (ntk_) {
    region.each_piece([&](const auto& piece) {
      add_covariance(piece.count, static_cast<T>(tangent.weight), weight, r + piece.p * lanes<T>,
                     s + piece.partner * lanes<T>, piece.distance, piece.ntk);
    });
  }
  region.fill_margin(radius, r, s, ntk_);
  if (ntk_) box_sums(region.ntk, radius, share, static_cast<T>(tangent.bias), scratch_.data());
  box_sums(region.distance, radius, weight * share, T{0}, scratch_.data());
}

/// Adds the region's c and NTK to the blocks that the pixels belong to.
template <class T>
void ImageWalk<T>::pool(const ImageGroup<T>& x, const ImageGroup<T>& y, const Region& region) {
  const std::int64_t size = plan_.stages[region.stage].pool;
  const ImageStage& next = plan_.stages[region.stage + 1];
  Pooled& pooled = pooled_[region.stage];
  const T* r = x.behind(region.stage);
  const T* s = y.behind(region.stage);
  region.each_piece([&](const auto& piece) {
    const std::int64_t block_y = piece.p / region.width / size;
    const std::int64_t partner_y = piece.partner / region.width / size;
    const std::int64_t dy = (partner_y - block_y + next.height) % next.height;
    const std::int64_t first = piece.p % region.width;
    const std::int64_t partner = piece.partner % region.width;
    for (std::int64_t i = 0; i < piece.count;) {
      const std::int64_t block_x = (first + i) / size;
      const std::int64_t partner_x = (partner + i) / size;
      const std::int64_t end = std::min({piece.count, (block_x + 1) * size - first, (partner_x + 1) * size - partner});
      const std::int64_t dx = (partner_x - block_x + next.width) % next.width;
      const std::int64_t to = ((dy * next.width + dx) * next.pixels() + block_y * next.width + block_x) * lanes<T>;
      add_block(end - i, r + (piece.p + i) * lanes<T>, s + (piece.partner + i) * lanes<T>,
                piece.distance + i * lanes<T>, piece.ntk + i * lanes<T>, pooled.c.data() + to, pooled.ntk.data() + to);
      i = end;
    }
  });
}

/// Takes the offsets of each stage through it. Behind the last stage of `offsets` they are pooled, or added to `sums`.
template <class T>
void ImageWalk<T>::run(const ImageGroup<T>& x, const ImageGroup<T>& y, const std::vector<std::vector<Offset>>& offsets,
                       T* sums) {
  for (std::size_t k = 0; k < offsets.size(); ++k) {
    const ImageStage& stage = plan_.stages[k];
    if (stage.pool > 0) {
      std::fill(pooled_[k].c.begin(), pooled_[k].c.end(), T{0});
      std::fill(pooled_[k].ntk.begin(), pooled_[k].ntk.end(), T{0});
    }
    for (const Offset offset : offsets[k]) {
      const Region here = region(k, offset);
      load(x, y, here);
      for (std::size_t l = 0; l < stage.layers.size(); ++l) {
        const T* r = x.before(k, l);
        const T* s = y.before(k, l);
        if (const auto* conv = std::get_if<ConvLayer>(&stage.layers[l])) {
          convolve(*conv, here, r, s);
          continue;
        }
        const auto& activation = std::get<Activation>(stage.layers[l]);
        const auto step = rectifier<T>(activation);
        here.each_piece([&](const auto& piece) {
          const std::int64_t p = piece.p * lanes<T>;
          const std::int64_t partner = piece.partner * lanes<T>;
          if (step) {
            rectify(piece.count, *step, r + p, s + partner, piece.distance, piece.ntk);
          } else {
            activate_pixels(activation, piece.count, r + p, s + partner, x.before(k, l + 1) + p,
                            y.before(k, l + 1) + partner, piece.distance, piece.ntk);
          }
        });
      }
      if (stage.pool > 0) {
        pool(x, y, here);
      } else {
        here.each_piece([&](const auto& piece) {
          add_up(piece.count, x.behind(k) + piece.p * lanes<T>, y.behind(k) + piece.partner * lanes<T>, piece.distance,
                 piece.ntk, sums);
        });
      }
    }
  }
}

template <class T>
void ImageWalk<T>::readout(const ImageGroup<T>& x, const ImageGroup<T>& y, T* out) {
  std::fill_n(out, 3 * lanes<T>, T{0});
  run(x, y, readout_offsets_, out);
  const auto pixels = static_cast<T>(plan_.stages.back().pixels());
  const T pairs = plan_.global ? pixels * pixels : pixels;
  for (std::int64_t i = 0; i < 3 * lanes<T>; ++i) out[i] /= pairs;
}

template <class T>
ImageGroup<T> ImageWalk<T>::prepare(const BasicSamples<T>& x, std::int64_t first, std::int64_t end) {
  const std::int64_t numbers = plan_.channels * plan_.stages.front().pixels();
  ImageGroup<T> group;
  group.inputs.resize(size_of(numbers * lanes<T>));
  for (std::int64_t lane = 0; lane < lanes<T>; ++lane) {
    const T* image = x.sample(std::min(first + lane, end - 1));
    for (std::int64_t i = 0; i < numbers; ++i) group.inputs[size_of(i * lanes<T> + lane)] = image[i];
  }
  std::vector<T> variances = input_variances(group.inputs, plan_.channels, plan_.stages.front().pixels());
  const bool ntk = std::exchange(ntk_, false);
  for (std::size_t k = 0; k < plan_.stages.size(); ++k) {
    group.lengths.push_back(signal_lengths(plan_.stages[k], variances));
    if (plan_.stages[k].pool == 0) break;
    // The variance of a pooled pixel is a mean over pairs of pixels of the same image.
    run(group, group, diagonal_offsets_[k], nullptr);
    const std::int64_t pixels = plan_.stages[k + 1].pixels();
    const auto size = static_cast<T>(plan_.stages[k].pool);
    variances.assign(pooled_[k].c.begin(), pooled_[k].c.begin() + pixels * lanes<T>);
    for (T& a : variances) a /= size * size * size * size;
  }
  if (plan_.global) {
    T sums[3 * lanes<T>];
    readout(group, group, sums);
    group.readout.assign(sums, sums + lanes<T>);
  } else {
    group.readout.assign(size_of(lanes<T>), 0);
    for (std::size_t i = 0; i < variances.size(); ++i) {
      group.readout[i % size_of(lanes<T>)] += static_cast<double>(variances[i]);
    }
    for (double& a : group.readout) a /= static_cast<double>(plan_.stages.back().pixels());
  }
  ntk_ = ntk;
  return group;
}

template class ImageWalk<double>;
template class ImageWalk<float>;
template ImageGroup<double> spread(const ImageGroup<double>&, std::int64_t);
template ImageGroup<float> spread(const ImageGroup<float>&, std::int64_t);

}  // namespace stepwise
