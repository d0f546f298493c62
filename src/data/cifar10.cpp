#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>

#include "data/image_sets.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

constexpr ImageShape cifar_shape{3, 32, 32};
constexpr std::int64_t image_bytes = 3072;
constexpr std::int64_t record_bytes = 1 + image_bytes;
constexpr int max_label = 9;
constexpr std::int64_t records_per_read = 1024;

/// @throws Error(input) when `path` is not a file of one or more whole records.
ImageFile check_batch(const fs::path& path) {
  const std::string name = path.string();
  const std::int64_t bytes = regular_size(name, "a batch of the binary version of CIFAR-10 (cifar-10-binary.tar.gz)");
  if (bytes % record_bytes != 0) {
    fail(ExitCode::input,
         "{}: has {} bytes, expected a multiple of {} (a label byte and {} pixel bytes per image); the file is "
         "truncated or not a CIFAR-10 binary batch: download it again",
         name, bytes, record_bytes, image_bytes);
  }
  return {name, "", bytes / record_bytes, cifar_shape};
}

std::string batch_name(int number) {
  return fmt::format("data_batch_{}.bin", number);
}

/// The highest number of a training batch in the directory, 0 where there is none.
int last_batch(const std::string& directory) {
  constexpr std::size_t digits_begin = std::string_view("data_batch_").size();
  int last = 0;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    int number = 0;
    std::from_chars(name.data() + std::min(digits_begin, name.size()), name.data() + name.size(), number);
    if (name == batch_name(number)) last = std::max(last, number);
  }
  if (error) fail(ExitCode::input, "{}: cannot be listed: {}", directory, error.message());
  return last;
}

}  // namespace

std::vector<ImageFile> find_cifar10(const std::string& path, ImagePart part) {
  const PathKind kind = kind_of_path(path);
  if (kind == PathKind::missing) {
    fail(ExitCode::input, "{}: no such file or directory; expected CIFAR-10 batches", path);
  }
  if (kind == PathKind::file) return {check_batch(path)};
  const fs::path directory(path);
  if (part == ImagePart::test) return {check_batch(directory / "test_batch.bin")};
  std::vector<ImageFile> batches;
  const int last = std::max(1, last_batch(path));
  for (int number = 1; number <= last; ++number) batches.push_back(check_batch(directory / batch_name(number)));
  return batches;
}

void append_cifar10(const ImageFile& file, Range range, StoredImages& images) {
  for (std::int64_t begin = range.begin; begin < range.end; begin += records_per_read) {
    const std::int64_t now = std::min(range.end - begin, records_per_read);
    const auto records = read_bytes(file.path, {begin * record_bytes, (begin + now) * record_bytes});
    for (std::int64_t i = 0; i < now; ++i) {
      const std::uint8_t* record = records.data() + i * record_bytes;
      if (record[0] > max_label) {
        fail(ExitCode::input,
             "{}: image {} (counted from 0) has label {}, expected 0 to {}; not a CIFAR-10 binary batch", file.path,
             begin + i, record[0], max_label);
      }
      images.labels.push_back(record[0]);
      images.pixels.insert(images.pixels.end(), record + 1, record + record_bytes);
    }
  }
}

}  // namespace stepwise
