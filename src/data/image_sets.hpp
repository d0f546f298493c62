#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "stepwise/data/image_files.hpp"

namespace stepwise {

// Each set of images: its files, and images [range.begin, range.end) of one of them.

std::vector<ImageFile> find_cifar10(const std::string& path, ImagePart part);
void append_cifar10(const ImageFile& file, Range range, StoredImages& images);

std::vector<ImageFile> find_mnist(const std::string& path, ImagePart part);
void append_mnist(const ImageFile& file, Range range, StoredImages& images);

std::vector<ImageFile> find_stl10(const std::string& path, ImagePart part);
void append_stl10(const ImageFile& file, Range range, StoredImages& images);

enum class PathKind { missing, directory, file };
/// @throws Error(input) when it cannot be known.
PathKind kind_of_path(const std::string& path);

/// Bytes of a regular file. @throws Error(input) for anything else and for an empty file, saying what was `expected`.
std::int64_t regular_size(const std::string& path, std::string_view expected);

/// Bytes [range.begin, range.end) of a file. @throws Error(input) when it cannot be opened, Error(io) when reading
/// fails.
std::vector<std::uint8_t> read_bytes(const std::string& path, Range range);

/// The first of the paths that is a file, or "".
std::string first_file(const std::vector<std::string>& paths);

}  // namespace stepwise
