#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "stepwise/core/error.hpp"
#include "stepwise/core/hash.hpp"
#include "stepwise/data/npy.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

constexpr const char* partial = ".partial.";

/// A new file that goes away unless it gets its name.
class NewFile {
 public:
  explicit NewFile(const std::string& path) : path_(path) {
    const fs::path target = path;
    name_ = (target.parent_path() / fmt::format(".{}{}{}", target.filename().string(), partial, getpid())).string();
    descriptor_ = open(name_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666);
    if (descriptor_ < 0) give_up("created");
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (descriptor_ < 0) return;
    close(descriptor_);
    unlink(name_.c_str());
  }
  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) give_up("written");
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  void finish() {
    if (fsync(descriptor_) != 0) give_up("synced to disk");
    if (rename(name_.c_str(), path_.c_str()) != 0) give_up("put in its place");
    close(descriptor_);
    descriptor_ = -1;
  }

 private:
  [[noreturn]] void give_up(const char* what) const {
    fail(ExitCode::io, "{}: cannot be {}: {}", path_, what, std::strerror(errno));
  }

  std::string path_;
  std::string name_;
  int descriptor_ = -1;
};

template <class T>
std::string bytes_of(MatrixView<const double> matrix) {
  std::string bytes(static_cast<std::size_t>(matrix.rows * matrix.cols) * sizeof(T), '\0');
  char* to = bytes.data();
  for (std::int64_t i = 0; i < matrix.rows; ++i) {
    for (std::int64_t j = 0; j < matrix.cols; ++j, to += sizeof(T)) {
      const T number = static_cast<T>(matrix(i, j));
      std::memcpy(to, &number, sizeof(T));
    }
  }
  return bytes;
}

/// place_hash of every eight bytes, the last ones filled up with zeros.
std::string checksum_of(std::string_view bytes) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, std::min(sizeof word, bytes.size() - i));
    total += place_hash(static_cast<std::int64_t>(i / sizeof word), word);
  }
  return fmt::format("checksum {:016x}", total);
}

}  // namespace

void write_whole(const std::string& path, std::string_view bytes) {
  NewFile file(path);
  file.write(bytes);
  file.finish();
}

bool is_left_over(const std::string& file_name) {
  return file_name.starts_with('.') && file_name.find(partial) != std::string::npos;
}

void write_npy(const std::string& path, MatrixView<const double> matrix, bool single) {
  NewFile file(path);
  const std::string numbers = single ? bytes_of<float>(matrix) : bytes_of<double>(matrix);
  file.write(npy_header(matrix.rows, matrix.cols, single, checksum_of(numbers)));
  file.write(numbers);
  file.finish();
}

bool is_undamaged_npy(const std::string& path) {
  const NpyHeader header = read_npy_header(path);
  std::ifstream in(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  const auto numbers = std::string_view(bytes).substr(std::min(bytes.size(), static_cast<std::size_t>(header.offset)));
  const auto before = std::string_view(bytes).substr(0, bytes.size() - numbers.size());
  return before.find(checksum_of(numbers)) != std::string_view::npos;
}

}  // namespace stepwise
