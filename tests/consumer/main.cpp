#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "stepwise/data/images.hpp"
#include "stepwise/theory/timescales.hpp"

// Two rooms of the installed library: a closed form with a known value, and an image that must not be blank.
int main() {
  const double s = stepwise::singular_value(0.5, 1e-3, 4);
  const bool right = std::abs(s - 1.277716500790074) < 1e-14;

  const stepwise::DeadLeaves leaves{.shape = {3, 8, 8}, .seed = 1, .first = 0};
  std::vector<std::uint8_t> image(static_cast<std::size_t>(leaves.shape.size()));
  stepwise::read_image(leaves, 0, image);
  bool blank = true;
  for (const std::uint8_t pixel : image) blank = blank && pixel == image.front();

  std::printf("s(4) = %.15g (%s), %s image\n", s, right ? "right" : "wrong", blank ? "blank" : "varied");
  return right && !blank ? 0 : 1;
}
