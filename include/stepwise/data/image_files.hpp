#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/data/images.hpp"

namespace stepwise {

/// Sets of images, each in the files in which it is published.
///   cifar10  binary batches: data_batch_1.bin, data_batch_2.bin, ... without a gap, test_batch.bin; a record is a
///   label
///            byte and 3 x 32 x 32 pixel bytes (https://www.cs.toronto.edu/~kriz/cifar.html)
///   mnist    idx files, plain or gzip: train-images-idx3-ubyte, t10k-images-idx3-ubyte; labels in
///            train-labels-idx1-ubyte, ... beside them, where there are any
///   stl10    train_X.bin, test_X.bin: 3 x 96 x 96 pixel bytes, column after column; labels 1 to 10 in train_y.bin, ...
enum class ImageSet { cifar10, mnist, stl10 };
enum class ImagePart { train, test };

/// The set called "cifar10", "mnist" or "stl10".
[[nodiscard]] std::optional<ImageSet> image_set_called(std::string_view name);

/// Of images as they are published.
[[nodiscard]] ImageShape usual_shape(ImageSet set);

/// One file of images.
struct ImageFile {
  std::string path;
  std::string labels;  ///< file of the labels; "" where they are in the same file, or nowhere
  std::int64_t images = 0;
  ImageShape shape;
  friend bool operator==(const ImageFile&, const ImageFile&) = default;
};

/// The files of a part, in order. `path`: their directory, or one file of images, which then is both parts; so is the
/// one part of MNIST or STL-10 that is in a directory alone. Reads headers and file sizes only.
/// @throws Error(input) for a missing, unreadable, empty, truncated or foreign file.
[[nodiscard]] std::vector<ImageFile> find_images(ImageSet set, const std::string& path, ImagePart part);

[[nodiscard]] std::int64_t image_count(std::span<const ImageFile> files);

/// Reads images [range.begin, range.end) of all files together. @throws Error(input) for files that are truncated,
/// damaged, not of this set, or whose labels are not as many as the images; Error(io) when reading fails;
/// Error(internal) when there are fewer. Memory: a byte for each number.
[[nodiscard]] StoredImages read_images(ImageSet set, std::span<const ImageFile> files, Range range);

}  // namespace stepwise
