#include "data/dead_leaves.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "stepwise/core/random.hpp"

namespace stepwise {
namespace {

/// About 700 discs cover an image; past this bound what is still free shows the background.
constexpr int max_discs = 4000;

/// Uniform in [0, 1) from one word: pixels need no more, and it halves the cost.
double coarse_uniform(RandomStream& random) {
  return random.bits() * 0x1p-32;
}

/// The pixels no disc has covered yet.
struct Canvas {
  std::int64_t height;
  std::int64_t width;
  std::vector<std::uint8_t> covered;
  std::vector<std::int64_t> free_in_row;
  std::int64_t free;

  Canvas(std::int64_t h, std::int64_t w)
      : height(h),
        width(w),
        covered(static_cast<std::size_t>(h * w), 0),
        free_in_row(static_cast<std::size_t>(h), w),
        free(h * w) {}
};

struct Disc {
  double x;
  double y;
  double radius;
};

/// First and last pixel of 0 .. n-1 whose centre lies in [centre - reach, centre + reach].
Range pixels_within(double centre, double reach, std::int64_t n) {
  const auto first = static_cast<std::int64_t>(std::ceil(centre - reach - 0.5));
  const auto last = static_cast<std::int64_t>(std::floor(centre + reach - 0.5));
  return {std::max<std::int64_t>(first, 0), std::min(last + 1, n)};
}

bool touches(const Disc& disc, const Canvas& canvas) {
  return pixels_within(disc.y, disc.radius, canvas.height).size() > 0 &&
         pixels_within(disc.x, disc.radius, canvas.width).size() > 0;
}

/// Calls paint(pixel) for every free pixel of the disc, which is covered from then on.
template <class Paint>
void cover(Canvas& canvas, const Disc& disc, Paint&& paint) {
  const Range rows = pixels_within(disc.y, disc.radius, canvas.height);
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    std::int64_t& row_free = canvas.free_in_row[static_cast<std::size_t>(row)];
    if (row_free == 0) continue;
    const double dy = static_cast<double>(row) + 0.5 - disc.y;
    const double reach = std::sqrt(std::max(0.0, disc.radius * disc.radius - dy * dy));
    const Range columns = pixels_within(disc.x, reach, canvas.width);
    for (std::int64_t column = columns.begin; column < columns.end; ++column) {
      const auto pixel = static_cast<std::size_t>(row * canvas.width + column);
      if (canvas.covered[pixel] != 0) continue;
      canvas.covered[pixel] = 1;
      --row_free;
      --canvas.free;
      paint(pixel);
    }
  }
}

}  // namespace

void draw_dead_leaves(const DeadLeaves& source, std::int64_t index, std::span<std::uint8_t> out) {
  const ImageShape& shape = source.shape;
  const auto channels = static_cast<std::size_t>(shape.channels);
  const auto pixels = static_cast<std::size_t>(shape.height * shape.width);
  const auto side = static_cast<double>(std::max(shape.height, shape.width));
  const double max_radius = side / 2;
  const double min_radius = side / 16;
  // The distribution of r^-2 under the density r^-3 is uniform.
  const double near_square = 1 / (min_radius * min_radius);
  const double far_square = 1 / (max_radius * max_radius);

  RandomStream random(source.seed, Purpose::image, source.first + index);
  std::vector<double> tint(channels);
  for (double& value : tint) value = coarse_uniform(random);
  std::vector<std::uint8_t> colour(channels);
  const auto draw_colour = [&] {
    const double brightness = coarse_uniform(random);
    for (std::size_t c = 0; c < channels; ++c) {
      colour[c] = static_cast<std::uint8_t>(256.0 / 3 * (tint[c] + brightness + coarse_uniform(random)));
    }
  };
  const auto paint = [&](std::size_t pixel) {
    for (std::size_t c = 0; c < channels; ++c) out[c * pixels + pixel] = colour[c];
  };

  // Front to back: the first disc on a pixel is the one that is seen.
  Canvas canvas(shape.height, shape.width);
  for (int i = 0; i < max_discs && canvas.free > 0; ++i) {
    Disc disc{};
    disc.radius = 1 / std::sqrt(near_square - (near_square - far_square) * coarse_uniform(random));
    disc.y = (static_cast<double>(shape.height) + 2 * max_radius) * coarse_uniform(random) - max_radius;
    disc.x = (static_cast<double>(shape.width) + 2 * max_radius) * coarse_uniform(random) - max_radius;
    if (!touches(disc, canvas)) continue;
    draw_colour();
    cover(canvas, disc, paint);
  }
  draw_colour();
  for (std::size_t pixel = 0; pixel < pixels && canvas.free > 0; ++pixel) {
    if (canvas.covered[pixel] == 0) paint(pixel);
  }
}

}  // namespace stepwise
