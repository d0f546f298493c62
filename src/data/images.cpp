#include "stepwise/data/images.hpp"

#include <algorithm>

#include "data/dead_leaves.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

void read_one(const StoredImages& source, std::int64_t index, std::span<std::uint8_t> out) {
  const std::int64_t size = source.shape.size();
  const auto count = static_cast<std::int64_t>(source.pixels.size()) / size;
  if (index >= count) fail(ExitCode::internal, "image {} read, but only {} are stored", index, count);
  std::copy_n(source.pixels.begin() + index * size, size, out.begin());
}

void read_one(const DeadLeaves& source, std::int64_t index, std::span<std::uint8_t> out) {
  draw_dead_leaves(source, index, out);
}

}  // namespace

ImageShape shape(const ImageSource& source) {
  return std::visit([](const auto& images) { return images.shape; }, source);
}

void read_image(const ImageSource& source, std::int64_t index, std::span<std::uint8_t> out) {
  const std::int64_t size = shape(source).size();
  if (index < 0 || size <= 0 || std::ssize(out) != size) {
    fail(ExitCode::internal, "image {} of {} bytes read into {} bytes", index, size, out.size());
  }
  std::visit([&](const auto& images) { read_one(images, index, out); }, source);
}

}  // namespace stepwise
