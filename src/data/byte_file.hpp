#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace stepwise {

/// A file of bytes, plain or compressed by gzip: reading gives what was compressed.
class ByteFile {
 public:
  /// @throws Error(input) when it cannot be opened.
  explicit ByteFile(const std::string& path);

  /// Reads the next bytes, and returns how many there were: fewer only at the end.
  /// @throws Error(input) for a damaged or cut-off gzip stream, Error(io) when reading fails.
  std::int64_t read(std::span<std::uint8_t> bytes);

  /// Reads on to the end, and returns how many bytes there were. @throws as read.
  std::int64_t skip_rest();

  /// Not compressed.
  [[nodiscard]] bool plain() const;

 private:
  struct Close {
    void operator()(void* file) const;
  };
  std::string path_;
  std::unique_ptr<void, Close> file_;
};

}  // namespace stepwise
