#include "data/byte_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

gzFile handle(void* file) {
  return static_cast<gzFile>(file);
}

}  // namespace

void ByteFile::Close::operator()(void* file) const {
  gzclose_r(handle(file));
}

ByteFile::ByteFile(const std::string& path) : path_(path) {
  errno = 0;
  file_.reset(gzopen(path.c_str(), "rb"));
  if (file_ == nullptr) {
    fail(ExitCode::input, "{}: cannot be opened: {}", path, errno != 0 ? std::strerror(errno) : "not enough memory");
  }
}

std::int64_t ByteFile::read(std::span<std::uint8_t> bytes) {
  constexpr std::size_t most_at_once = std::size_t{1} << 26;  // zlib counts in 32 bits
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto now = static_cast<unsigned>(std::min(bytes.size() - done, most_at_once));
    errno = 0;
    const int count = gzread(handle(file_.get()), bytes.data() + done, now);
    int status = Z_OK;
    const char* why = gzerror(handle(file_.get()), &status);
    if (status == Z_ERRNO) fail(ExitCode::io, "{}: cannot be read: {}", path_, std::strerror(errno));
    if (status == Z_MEM_ERROR) fail(ExitCode::memory, "{}: not enough memory to decompress it", path_);
    if (status != Z_OK && status != Z_STREAM_END) {
      fail(ExitCode::input, "{}: its gzip stream is {}: {}; download it again", path_,
           status == Z_BUF_ERROR ? "cut off" : "damaged", why);
    }
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  return static_cast<std::int64_t>(done);
}

std::int64_t ByteFile::skip_rest() {
  std::vector<std::uint8_t> buffer(std::size_t{1} << 18);
  std::int64_t total = 0;
  std::int64_t now = 0;
  do {
    now = read(buffer);
    total += now;
  } while (now == std::ssize(buffer));
  return total;
}

bool ByteFile::plain() const {
  return gzdirect(handle(file_.get())) == 1;
}

}  // namespace stepwise
