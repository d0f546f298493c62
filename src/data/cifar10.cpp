#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "stepwise/core/error.hpp"
#include "stepwise/data/images.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

constexpr ImageShape cifar_shape{3, 32, 32};
constexpr std::int64_t image_bytes = 3072;
constexpr std::int64_t record_bytes = 1 + image_bytes;
constexpr int max_label = 9;
constexpr std::int64_t records_per_read = 1024;

/// One batch file and how many records it holds.
struct Batch {
  std::string path;
  std::int64_t records = 0;
};

const char* option(Cifar10Part part) {
  return part == Cifar10Part::train ? "--data.pairs" : "--data.test";
}

fs::file_status status_of(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::none) fail(ExitCode::input, "{}: {}", path.string(), error.message());
  return status;
}

/// @throws Error(input) when `path` is not a file of one or more whole records.
Batch check_batch(const fs::path& path) {
  const std::string name = path.string();
  const fs::file_status status = status_of(path);
  if (!fs::exists(status)) {
    fail(ExitCode::input, "{}: no such file; expected the binary version of CIFAR-10 (cifar-10-binary.tar.gz)", name);
  }
  if (fs::is_directory(status)) fail(ExitCode::input, "{}: is a directory where a CIFAR-10 batch file belongs", name);
  if (!fs::is_regular_file(status)) fail(ExitCode::input, "{}: is not a regular file", name);
  std::error_code error;
  const auto bytes = static_cast<std::int64_t>(fs::file_size(path, error));
  if (error) fail(ExitCode::input, "{}: its size cannot be read: {}", name, error.message());
  if (bytes == 0) fail(ExitCode::input, "{}: is empty; expected a CIFAR-10 binary batch: download it again", name);
  if (bytes % record_bytes != 0) {
    fail(ExitCode::input,
         "{}: has {} bytes, expected a multiple of {} (a label byte and {} pixel bytes per image); the file is "
         "truncated "
         "or not a CIFAR-10 binary batch: download it again",
         name, bytes, record_bytes, image_bytes);
  }
  return {name, bytes / record_bytes};
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

std::vector<Batch> find_batches(const std::string& path, Cifar10Part part) {
  const fs::file_status status = status_of(path);
  if (!fs::exists(status)) fail(ExitCode::input, "{}: no such file or directory; expected CIFAR-10 batches", path);
  if (!fs::is_directory(status)) return {check_batch(path)};
  const fs::path directory(path);
  if (part == Cifar10Part::test) return {check_batch(directory / "test_batch.bin")};
  std::vector<Batch> batches;
  const int last = std::max(1, last_batch(path));
  for (int number = 1; number <= last; ++number) batches.push_back(check_batch(directory / batch_name(number)));
  return batches;
}

std::int64_t total(const std::vector<Batch>& batches) {
  std::int64_t sum = 0;
  for (const Batch& batch : batches) sum += batch.records;
  return sum;
}

/// Appends the first `count` records of the batch to `images`.
void append_records(const Batch& batch, std::int64_t count, StoredImages& images) {
  errno = 0;
  std::ifstream in(batch.path, std::ios::binary);
  if (!in) fail(ExitCode::input, "{}: cannot be opened: {}", batch.path, std::strerror(errno));
  std::vector<std::uint8_t> records(static_cast<std::size_t>(std::min(count, records_per_read) * record_bytes));
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t now = std::min(count - done, records_per_read);
    errno = 0;
    if (!in.read(reinterpret_cast<char*>(records.data()), now * record_bytes)) {
      fail(ExitCode::io, "{}: reading images {} to {} failed: {}", batch.path, done, done + now - 1,
           errno != 0 ? std::strerror(errno) : "the file ended early");
    }
    for (std::int64_t i = 0; i < now; ++i) {
      const std::uint8_t* record = records.data() + i * record_bytes;
      if (record[0] > max_label) {
        fail(ExitCode::input,
             "{}: image {} (counted from 0) has label {}, expected 0 to {}; not a CIFAR-10 binary batch", batch.path,
             done + i, record[0], max_label);
      }
      images.labels.push_back(record[0]);
      images.pixels.insert(images.pixels.end(), record + 1, record + record_bytes);
    }
    done += now;
  }
}

}  // namespace

std::int64_t count_cifar10(const std::string& path, Cifar10Part part) {
  return total(find_batches(path, part));
}

StoredImages read_cifar10(const std::string& path, Cifar10Part part, std::int64_t count) {
  const std::vector<Batch> batches = find_batches(path, part);
  const std::int64_t available = total(batches);
  if (count < 0) fail(ExitCode::input, "{} is {}: it cannot be negative here", option(part), count);
  if (count > available) {
    fail(ExitCode::input, "{} asks for {} images, but {} has {} (in {} batch file{}): ask for {} or fewer{}",
         option(part), count, path, available, batches.size(), batches.size() == 1 ? "" : "s", available,
         part == Cifar10Part::train ? ", or for several pairs of each with --views.per-image" : "");
  }
  StoredImages images{.shape = cifar_shape, .pixels = {}, .labels = {}};
  images.pixels.reserve(static_cast<std::size_t>(count * image_bytes));
  images.labels.reserve(static_cast<std::size_t>(count));
  for (const Batch& batch : batches) {
    const std::int64_t wanted = std::min(batch.records, count - std::ssize(images.labels));
    if (wanted > 0) append_records(batch, wanted, images);
  }
  return images;
}

}  // namespace stepwise
