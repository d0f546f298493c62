#include <algorithm>
#include <array>
#include <filesystem>

#include "data/byte_file.hpp"
#include "data/image_sets.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

// An idx file: a magic number (two zeros, 8 for unsigned bytes, the number of dimensions), the dimensions, the bytes,
// with numbers of 32 bits, the highest byte first.
constexpr std::uint32_t magic_of_images = 0x803;
constexpr std::uint32_t magic_of_labels = 0x801;
constexpr std::int64_t best_compression = 1100;  // deflate makes of a byte no more than so many
constexpr std::int64_t longest_side = 1 << 16;

/// The dimensions that the header says.
template <std::size_t dimensions>
std::array<std::int64_t, dimensions> read_header(ByteFile& file, const std::string& path, std::uint32_t magic) {
  const char* what = magic == magic_of_images ? "images" : "labels";
  std::array<std::uint8_t, 4 * (1 + dimensions)> bytes{};
  if (file.read(bytes) < std::ssize(bytes)) {
    fail(ExitCode::input, "{}: ends within the header of an idx file of {}: download it again", path, what);
  }
  const auto number = [&](std::size_t i) {
    return std::uint32_t{bytes[4 * i]} << 24 | std::uint32_t{bytes[4 * i + 1]} << 16 |
           std::uint32_t{bytes[4 * i + 2]} << 8 | std::uint32_t{bytes[4 * i + 3]};
  };
  if (number(0) != magic) {
    fail(ExitCode::input,
         "{}: begins with {:#010x}, an idx file of {} with {:#010x}: not a file of MNIST, or the wrong one of a pair",
         path, number(0), what, magic);
  }
  std::array<std::int64_t, dimensions> extents{};
  for (std::size_t i = 0; i < dimensions; ++i) extents[i] = number(1 + i);
  return extents;
}

/// @throws Error(input) unless what follows the header is `expected` bytes; of compressed files unless it can be.
void check_size(const ByteFile& file, const std::string& path, std::int64_t header, std::int64_t expected) {
  const std::int64_t size = regular_size(path, "an idx file");
  const bool fits = file.plain() ? size == header + expected : expected <= best_compression * size;
  if (!fits) {
    fail(ExitCode::input,
         "{}: has {} bytes{}, but its header announces {}: it is truncated or damaged, download it again", path, size,
         file.plain() ? "" : " (compressed)", header + expected);
  }
}

/// Reads bytes [range.begin, range.end) of the `whole` that there must be.
std::vector<std::uint8_t> read_part(ByteFile& file, const std::string& path, Range range, std::int64_t whole) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(range.end));
  std::int64_t found = file.read(bytes);
  found += file.skip_rest();  // so that damage anywhere shows
  if (found != whole) {
    fail(ExitCode::input, "{}: has {} bytes after its header, which announces {}: it is {}, download it again", path,
         found, whole, found < whole ? "truncated" : "damaged");
  }
  bytes.erase(bytes.begin(), bytes.begin() + range.begin);
  return bytes;
}

/// Where the labels of these images would be, or "".
std::string labels_beside(const std::string& images) {
  fs::path path = images;
  std::string name = path.filename().string();
  const auto replace = [&name](std::string_view from, std::string_view to) {
    const auto at = name.rfind(from);
    if (at != std::string::npos) name.replace(at, from.size(), to);
    return at != std::string::npos;
  };
  if (!replace("images", "labels")) return "";
  replace("idx3", "idx1");
  const std::string same = path.replace_filename(name).string();
  const bool compressed = same.ends_with(".gz");
  return first_file({same, compressed ? same.substr(0, same.size() - 3) : same + ".gz"});
}

ImageFile describe(const std::string& path) {
  (void)regular_size(path, "an idx file of images");
  ByteFile file(path);
  const auto [count, height, width] = read_header<3>(file, path, magic_of_images);
  if (count < 1 || height < 1 || width < 1 || height > longest_side || width > longest_side) {
    fail(ExitCode::input, "{}: its header announces {} images of {} x {} pixels: damaged, download it again", path,
         count, height, width);
  }
  check_size(file, path, 16, count * height * width);
  return {path, labels_beside(path), count, {1, height, width}};
}

/// "train" or "t10k", as some archives write it.
std::string find_part(const std::string& directory, const std::string& name) {
  const std::string begin = (fs::path(directory) / name).string();
  return first_file({begin + "-images-idx3-ubyte", begin + "-images-idx3-ubyte.gz", begin + "-images.idx3-ubyte",
                     begin + "-images.idx3-ubyte.gz"});
}

}  // namespace

std::vector<ImageFile> find_mnist(const std::string& path, ImagePart part) {
  const PathKind kind = kind_of_path(path);
  if (kind == PathKind::missing) {
    fail(ExitCode::input, "{}: no such file or directory; expected the idx files of MNIST", path);
  }
  if (kind == PathKind::file) return {describe(path)};
  std::string found = find_part(path, part == ImagePart::train ? "train" : "t10k");
  if (found.empty()) found = find_part(path, part == ImagePart::train ? "t10k" : "train");
  if (found.empty()) {
    fail(ExitCode::input,
         "{}: has neither train-images-idx3-ubyte nor t10k-images-idx3-ubyte, with or without .gz; expected the idx "
         "files of MNIST",
         path);
  }
  return {describe(found)};
}

void append_mnist(const ImageFile& file, Range range, StoredImages& images) {
  ByteFile pixels(file.path);
  (void)read_header<3>(pixels, file.path, magic_of_images);
  const std::int64_t size = file.shape.size();
  const auto bytes = read_part(pixels, file.path, {range.begin * size, range.end * size}, file.images * size);
  images.pixels.insert(images.pixels.end(), bytes.begin(), bytes.end());
  if (file.labels.empty()) return;
  ByteFile labels(file.labels);
  const auto [count] = read_header<1>(labels, file.labels, magic_of_labels);
  if (count != file.images) {
    fail(ExitCode::input, "{}: has {} labels, but {} has {} images: they do not belong together", file.labels, count,
         file.path, file.images);
  }
  const auto classes = read_part(labels, file.labels, range, count);
  images.labels.insert(images.labels.end(), classes.begin(), classes.end());
}

}  // namespace stepwise
