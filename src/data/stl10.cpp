#include <filesystem>

#include "data/image_sets.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

constexpr ImageShape stl_shape{3, 96, 96};
constexpr std::int64_t image_bytes = 27648;
constexpr int max_label = 10;
constexpr const char* expected = "a file of STL-10 images (stl10_binary.tar.gz)";

/// Where the labels of these images would be, or "".
std::string labels_beside(const std::string& images) {
  fs::path path = images;
  std::string name = path.filename().string();
  const auto at = name.rfind("_X.");
  if (at == std::string::npos) return "";
  return first_file({path.replace_filename(name.replace(at, 3, "_y.")).string()});
}

ImageFile describe(const std::string& path) {
  const std::int64_t bytes = regular_size(path, expected);
  if (bytes % image_bytes != 0) {
    fail(ExitCode::input,
         "{}: has {} bytes, expected a multiple of {} (3 x 96 x 96 for each image); the file is truncated or not of "
         "STL-10: download it again",
         path, bytes, image_bytes);
  }
  const ImageFile file{path, labels_beside(path), bytes / image_bytes, stl_shape};
  if (file.labels.empty()) return file;
  const std::int64_t labels = regular_size(file.labels, "a file of STL-10 labels");
  if (labels != file.images) {
    fail(ExitCode::input, "{}: has {} labels, but {} has {} images: they do not belong together", file.labels, labels,
         path, file.images);
  }
  return file;
}

}  // namespace

std::vector<ImageFile> find_stl10(const std::string& path, ImagePart part) {
  const PathKind kind = kind_of_path(path);
  if (kind == PathKind::missing) fail(ExitCode::input, "{}: no such file or directory; expected {}", path, expected);
  if (kind == PathKind::file) return {describe(path)};
  const std::string train = (fs::path(path) / "train_X.bin").string();
  const std::string test = (fs::path(path) / "test_X.bin").string();
  const std::string found = first_file(part == ImagePart::train ? std::vector{train, test} : std::vector{test, train});
  if (found.empty()) fail(ExitCode::input, "{}: has neither train_X.bin nor test_X.bin; expected {}", path, expected);
  return {describe(found)};
}

void append_stl10(const ImageFile& file, Range range, StoredImages& images) {
  constexpr std::int64_t side = stl_shape.height;
  const auto bytes = read_bytes(file.path, {range.begin * image_bytes, range.end * image_bytes});
  for (std::int64_t plane = 0; plane < range.size() * stl_shape.channels; ++plane) {
    const std::uint8_t* from = bytes.data() + plane * side * side;
    for (std::int64_t row = 0; row < side; ++row) {
      for (std::int64_t column = 0; column < side; ++column) images.pixels.push_back(from[column * side + row]);
    }
  }
  if (file.labels.empty()) return;
  std::int64_t number = range.begin;
  for (const std::uint8_t label : read_bytes(file.labels, range)) {
    if (label < 1 || label > max_label) {
      fail(ExitCode::input, "{}: image {} (counted from 0) has label {}, expected 1 to {}; not of STL-10", file.labels,
           number, label, max_label);
    }
    images.labels.push_back(label);
    ++number;
  }
}

}  // namespace stepwise
