#include "stepwise/data/image_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "data/image_sets.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

fs::file_status status_of(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::none) fail(ExitCode::input, "{}: {}", path, error.message());
  return status;
}

}  // namespace

PathKind kind_of_path(const std::string& path) {
  const fs::file_status status = status_of(path);
  if (!fs::exists(status)) return PathKind::missing;
  return fs::is_directory(status) ? PathKind::directory : PathKind::file;
}

std::int64_t regular_size(const std::string& path, std::string_view expected) {
  const fs::file_status status = status_of(path);
  if (!fs::exists(status)) fail(ExitCode::input, "{}: no such file; expected {}", path, expected);
  if (fs::is_directory(status)) fail(ExitCode::input, "{}: is a directory; expected {}", path, expected);
  if (!fs::is_regular_file(status)) fail(ExitCode::input, "{}: is not a regular file; expected {}", path, expected);
  std::error_code error;
  const auto bytes = static_cast<std::int64_t>(fs::file_size(path, error));
  if (error) fail(ExitCode::input, "{}: its size cannot be read: {}", path, error.message());
  if (bytes == 0) fail(ExitCode::input, "{}: is empty; expected {}: download it again", path, expected);
  return bytes;
}

std::vector<std::uint8_t> read_bytes(const std::string& path, Range range) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(ExitCode::input, "{}: cannot be opened: {}", path, std::strerror(errno));
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(range.size()));
  errno = 0;
  if (!in.seekg(range.begin) || !in.read(reinterpret_cast<char*>(bytes.data()), range.size())) {
    fail(ExitCode::io, "{}: reading bytes {} to {} failed: {}", path, range.begin, range.end - 1,
         errno != 0 ? std::strerror(errno) : "the file ended early");
  }
  return bytes;
}

std::string first_file(const std::vector<std::string>& paths) {
  const auto found = std::find_if(paths.begin(), paths.end(),
                                  [](const std::string& path) { return kind_of_path(path) == PathKind::file; });
  return found == paths.end() ? "" : *found;
}

std::optional<ImageSet> image_set_called(std::string_view name) {
  if (name == "cifar10") return ImageSet::cifar10;
  if (name == "mnist") return ImageSet::mnist;
  if (name == "stl10") return ImageSet::stl10;
  return std::nullopt;
}

ImageShape usual_shape(ImageSet set) {
  switch (set) {
    case ImageSet::cifar10:
      return {3, 32, 32};
    case ImageSet::mnist:
      return {1, 28, 28};
    case ImageSet::stl10:
      return {3, 96, 96};
  }
  fail(ExitCode::internal, "no set of images number {}", static_cast<int>(set));
}

std::vector<ImageFile> find_images(ImageSet set, const std::string& path, ImagePart part) {
  switch (set) {
    case ImageSet::cifar10:
      return find_cifar10(path, part);
    case ImageSet::mnist:
      return find_mnist(path, part);
    case ImageSet::stl10:
      return find_stl10(path, part);
  }
  fail(ExitCode::internal, "no set of images number {}", static_cast<int>(set));
}

std::int64_t image_count(std::span<const ImageFile> files) {
  return std::accumulate(files.begin(), files.end(), std::int64_t{0},
                         [](std::int64_t sum, const ImageFile& file) { return sum + file.images; });
}

StoredImages read_images(ImageSet set, std::span<const ImageFile> files, Range range) {
  if (files.empty() || range.begin < 0 || range.end < range.begin || range.end > image_count(files)) {
    fail(ExitCode::internal, "images {} to {} asked for, there are {}", range.begin, range.end, image_count(files));
  }
  StoredImages images{.shape = files.front().shape, .pixels = {}, .labels = {}};
  images.pixels.reserve(static_cast<std::size_t>(range.size() * images.shape.size()));
  std::int64_t before = 0;  // images in the files already seen
  for (const ImageFile& file : files) {
    const Range own{std::clamp(range.begin - before, std::int64_t{0}, file.images),
                    std::clamp(range.end - before, std::int64_t{0}, file.images)};
    before += file.images;
    if (own.size() == 0) continue;
    if (set == ImageSet::cifar10) append_cifar10(file, own, images);
    if (set == ImageSet::mnist) append_mnist(file, own, images);
    if (set == ImageSet::stl10) append_stl10(file, own, images);
  }
  return images;
}

}  // namespace stepwise
