#include "stepwise/data/npy.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t prefix = 8;  // the magic word and two bytes of version
constexpr std::size_t longest_header = std::size_t{1} << 20;
constexpr std::size_t alignment = 64;

std::uint32_t little_endian(std::string_view bytes) {
  std::uint32_t number = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

/// What stands after 'key': in a Python dictionary, without white space before it.
std::string_view value_of(std::string_view dictionary, std::string_view key, const std::string& path) {
  for (const char quote : {'\'', '"'}) {
    const std::string word = fmt::format("{0}{1}{0}", quote, key);
    auto at = dictionary.find(word);
    if (at == std::string_view::npos) continue;
    at = dictionary.find_first_not_of(" :", at + word.size());
    if (at != std::string_view::npos) return dictionary.substr(at);
  }
  fail(ExitCode::input, "{}: its .npy header has no '{}': save it again with numpy.save", path, key);
}

std::vector<std::int64_t> parse_shape(std::string_view text, const std::string& path) {
  std::vector<std::int64_t> shape;
  const auto end = text.find(')');
  if (text.empty() || text.front() != '(' || end == std::string_view::npos) {
    fail(ExitCode::input, "{}: the shape in its .npy header is no tuple", path);
  }
  text = text.substr(1, end - 1);
  while (true) {
    const auto first = text.find_first_not_of(" ,");
    if (first == std::string_view::npos) return shape;
    text.remove_prefix(first);
    std::int64_t extent = -1;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), extent);
    if (error != std::errc() || extent < 0) {
      fail(ExitCode::input, "{}: the shape in its .npy header holds '{}'", path, text);
    }
    shape.push_back(extent);
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  }
}

/// Bytes of the header with all that stands before it; what says so are its first twelve bytes.
std::size_t header_end(std::string_view beginning, const std::string& path) {
  if (!beginning.starts_with(magic)) fail(ExitCode::input, "{}: not a .npy file", path);
  const auto cut_off = [&] { fail(ExitCode::input, "{}: ends inside its .npy header: truncated?", path); };
  if (beginning.size() < prefix) cut_off();
  const int major = static_cast<unsigned char>(beginning[magic.size()]);
  if (major < 1 || major > 3) {
    fail(ExitCode::input, "{}: .npy format {}.{} is unknown, 1.0 to 3.0 are known", path, major,
         int{static_cast<unsigned char>(beginning[magic.size() + 1])});
  }
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  if (beginning.size() < prefix + length_bytes) cut_off();
  const std::size_t end = prefix + length_bytes + little_endian(beginning.substr(prefix, length_bytes));
  if (end > longest_header) fail(ExitCode::input, "{}: its .npy header has {} bytes: damaged?", path, end);
  return end;
}

}  // namespace

NpyHeader parse_npy_header(std::string_view beginning, const std::string& path) {
  const std::size_t end = header_end(beginning, path);
  if (beginning.size() < end) fail(ExitCode::input, "{}: ends inside its .npy header: truncated?", path);
  const std::size_t begin = prefix + (beginning[magic.size()] == 1 ? 2 : 4);
  const std::string_view dictionary = beginning.substr(begin, end - begin);
  NpyHeader header;
  header.offset = static_cast<std::int64_t>(end);
  const std::string_view type = value_of(dictionary, "descr", path);
  const char quote = type.front();
  // A structured type is a list of fields and not a word.
  const auto type_end = quote == '\'' || quote == '"' ? type.find(quote, 1) : std::string_view::npos;
  header.type = type_end == std::string_view::npos ? "structured" : std::string(type.substr(1, type_end - 1));
  header.fortran_order = value_of(dictionary, "fortran_order", path).starts_with("True");
  header.shape = parse_shape(value_of(dictionary, "shape", path), path);
  return header;
}

NpyHeader read_npy_header(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  std::ifstream in(path, std::ios::binary);
  if (!in || error) {
    fail(ExitCode::input, "{}: cannot be opened: {}", path, error ? error.message() : std::strerror(errno));
  }
  std::string beginning(prefix + 4, '\0');
  const auto read_up_to = [&](std::size_t from, std::size_t to) {
    beginning.resize(to);
    in.read(beginning.data() + from, static_cast<std::streamsize>(to - from));
    beginning.resize(from + static_cast<std::size_t>(in.gcount()));
  };
  read_up_to(0, beginning.size());
  const std::size_t end = header_end(beginning, path);
  if (end > beginning.size()) read_up_to(beginning.size(), end);
  NpyHeader header = parse_npy_header(beginning, path);
  if (header.type != "<f8" && header.type != "<f4") return header;
  double bytes = header.type == "<f4" ? 4 : 8;  // in floating point a wild shape does not overflow
  for (const std::int64_t extent : header.shape) bytes *= static_cast<double>(extent);
  if (static_cast<double>(size) != bytes + static_cast<double>(header.offset)) {
    fail(ExitCode::input, "{}: has {} bytes where its header asks for {:.0f}: truncated, or still being written?", path,
         size, bytes + static_cast<double>(header.offset));
  }
  return header;
}

std::string npy_header(std::int64_t rows, std::int64_t cols, bool single, const std::string& comment) {
  std::string dictionary =
      fmt::format("{{'descr': '<f{}', 'fortran_order': False, 'shape': ({}, {}), }}", single ? 4 : 8, rows, cols);
  if (!comment.empty()) dictionary += " # " + comment;
  const std::size_t before = prefix + 2;
  const std::size_t whole = (before + dictionary.size() + 1 + alignment - 1) / alignment * alignment;
  dictionary.append(whole - before - dictionary.size() - 1, ' ');
  dictionary += '\n';
  std::string header(magic);
  header += '\x01';
  header += '\x00';
  header += static_cast<char>(dictionary.size() & 0xFF);
  header += static_cast<char>(dictionary.size() >> 8);
  return header + dictionary;
}

}  // namespace stepwise
