#include <zlib.h>

#include "data/image_folder.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

/// An idx file with this magic number and these dimensions, and bytes that begin with `from` and count up.
std::string idx(std::uint32_t magic, const std::vector<std::uint32_t>& extents, int from = 0) {
  std::string bytes;
  const auto append = [&bytes](std::uint32_t number) {
    for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<char>(number >> shift & 0xff));
  };
  append(magic);
  std::uint32_t size = 1;
  for (const std::uint32_t extent : extents) {
    append(extent);
    size *= extent;
  }
  for (std::uint32_t i = 0; i < size; ++i)
    bytes.push_back(static_cast<char>((static_cast<std::uint32_t>(from) + i) % 251));
  return bytes;
}

std::string images_idx(std::uint32_t count, int from = 0) {
  return idx(0x803, {count, 28, 28}, from);
}
std::string labels_idx(std::uint32_t count, int from = 0) {
  return idx(0x801, {count}, from);
}

class Mnist : public ImageFolder {
 protected:
  Mnist() : ImageFolder(ImageSet::mnist) {}

  std::string write_gzip(const std::string& name, const std::string& bytes) const {
    const std::string path = (directory_ / name).string();
    gzFile file = gzopen(path.c_str(), "wb");
    EXPECT_NE(file, nullptr);
    EXPECT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
    EXPECT_EQ(gzclose(file), Z_OK);
    return path;
  }

  static std::string contents(const std::string& path) {
    std::string bytes(fs::file_size(path), '\0');
    std::FILE* file = std::fopen(path.c_str(), "rb");
    EXPECT_EQ(std::fread(bytes.data(), 1, bytes.size(), file), bytes.size());
    EXPECT_EQ(std::fclose(file), 0);
    return bytes;
  }

  /// Pixels and labels both count up from `from`, the former through 784 numbers an image.
  static void expect_images(const StoredImages& images, int from, int first, int count) {
    EXPECT_EQ(images.shape, (ImageShape{1, 28, 28}));
    ASSERT_EQ(std::ssize(images.pixels), count * 784);
    ASSERT_EQ(std::ssize(images.labels), count);
    for (int i = 0; i < count * 784; ++i) {
      ASSERT_EQ(images.pixels[static_cast<std::size_t>(i)], (from + 784 * first + i) % 251) << i;
    }
    for (int i = 0; i < count; ++i) EXPECT_EQ(images.labels[static_cast<std::size_t>(i)], from + first + i);
  }
};

TEST_F(Mnist, ReadsADirectoryPlainOrCompressed) {
  write_bytes("train-images-idx3-ubyte", images_idx(7, 3));
  write_gzip("train-labels-idx1-ubyte.gz", labels_idx(7, 3));
  write_gzip("t10k-images-idx3-ubyte.gz", images_idx(4, 5));
  write_bytes("t10k-labels-idx1-ubyte", labels_idx(4, 5));
  EXPECT_EQ(count(directory_, ImagePart::train), 7);
  EXPECT_EQ(count(directory_, ImagePart::test), 4);
  expect_images(first(directory_, ImagePart::train, 7), 3, 0, 7);
  expect_images(first(directory_, ImagePart::test, 2), 5, 0, 2);
  expect_images(read_images(set_, find_images(set_, directory_, ImagePart::test), {1, 4}), 5, 1, 3);
}

TEST_F(Mnist, OnePartAloneIsBoth) {
  write_gzip("t10k-images.idx3-ubyte.gz", images_idx(4));
  write_gzip("t10k-labels.idx1-ubyte.gz", labels_idx(4));
  const auto files = find_images(set_, directory_, ImagePart::train);
  EXPECT_EQ(files, find_images(set_, directory_, ImagePart::test));
  expect_images(read_images(set_, files, {0, 4}), 0, 0, 4);
}

TEST_F(Mnist, OneFileAndNoLabels) {
  const StoredImages images = first(write_bytes("digits", images_idx(3)), ImagePart::train, 2);
  EXPECT_EQ(std::ssize(images.pixels), 2 * 784);
  EXPECT_TRUE(images.labels.empty());
  const std::string other = write_gzip("other-images-idx3-ubyte.gz", idx(0x803, {2, 5, 6}));
  EXPECT_EQ(first(other, ImagePart::test, 1).shape, (ImageShape{1, 5, 6}));
}

TEST_F(Mnist, MissingForeignAndEmptyFiles) {
  expect_input_error({"nowhere", "no such file or directory"}, (directory_ / "nowhere").string());
  expect_input_error({"neither train-images-idx3-ubyte nor t10k"}, directory_);
  expect_input_error({"empty", "is empty"}, write_bytes("empty", ""));
  expect_input_error({"page.gz", "begins with 0x3c68746d", "0x00000803"},
                     write_bytes("page.gz", "<html>not found</html>"));
  expect_input_error({"short", "within the header"}, write_bytes("short", std::string("\0\0\x8\x3\0\0", 6)));
  expect_input_error({"swapped", "begins with 0x00000801", "wrong one of a pair"},
                     write_bytes("swapped", labels_idx(20)));
  expect_input_error({"none", "0 images of 28 x 28"}, write_bytes("none", images_idx(0)));
  expect_input_error({"wide", "70000 pixels"}, write_bytes("wide", idx(0x803, {1, 1, 70000})));
}

TEST_F(Mnist, SizesThatContradictTheHeader) {
  const std::string bytes = images_idx(3);
  expect_input_error({"cut", "2367 bytes", "announces 2368"}, write_bytes("cut", bytes.substr(0, bytes.size() - 1)));
  expect_input_error({"long", "2369 bytes", "announces 2368"}, write_bytes("long", bytes + "x"));
  expect_input_error({"cut.gz", "2351 bytes after its header, which announces 2352", "truncated"},
                     write_gzip("cut.gz", bytes.substr(0, bytes.size() - 1)));
  expect_input_error({"long.gz", "2353 bytes after its header", "damaged"}, write_gzip("long.gz", bytes + "x"));
  std::string huge = bytes;
  huge[4] = static_cast<char>(0xff);  // four thousand million images
  expect_input_error({"huge.gz", "(compressed)", "announces"}, write_gzip("huge.gz", huge));
}

TEST_F(Mnist, DamagedGzip) {
  const std::string whole = contents(write_gzip("whole.gz", images_idx(9)));
  expect_input_error({"half.gz", "gzip stream is cut off"}, write_bytes("half.gz", whole.substr(0, whole.size() / 2)));
  expect_input_error({"tail.gz", "gzip stream is cut off"}, write_bytes("tail.gz", whole.substr(0, whole.size() - 4)));
  std::string changed = whole;
  changed[whole.size() - 6] = static_cast<char>(changed[whole.size() - 6] ^ 1);  // in the checksum
  expect_input_error({"changed.gz", "gzip stream is damaged"}, write_bytes("changed.gz", changed));
}

TEST_F(Mnist, LabelsOfOtherImages) {
  write_bytes("train-images-idx3-ubyte", images_idx(5));
  const std::string labels = write_bytes("train-labels-idx1-ubyte", labels_idx(4));
  expect_input_error({labels, "has 4 labels", "5 images"}, directory_);
  write_bytes("train-labels-idx1-ubyte", labels_idx(5).substr(0, 10));
  expect_input_error({labels, "2 bytes after its header, which announces 5"}, directory_);
  write_bytes("train-labels-idx1-ubyte", images_idx(5));
  expect_input_error({labels, "begins with 0x00000803", "0x00000801"}, directory_);
}

TEST_F(Mnist, TheRealImages) {
  const fs::path real = fs::path(STEPWISE_SHARED_DIR) / "data" / "mnist";
  if (!fs::exists(real / "t10k-images-idx3-ubyte.gz"))
    GTEST_SKIP() << "no MNIST in " << real << ": the real images go unread";
  const StoredImages images = first(real, ImagePart::test, 10000);
  EXPECT_EQ(images.shape, (ImageShape{1, 28, 28}));
  double mean = 0;
  for (const std::uint8_t value : images.pixels) mean += value / static_cast<double>(images.pixels.size());
  EXPECT_NEAR(mean, 33.79, 0.01);
  EXPECT_EQ((std::vector(images.labels.begin(), images.labels.begin() + 5)),
            (std::vector<std::int64_t>{7, 2, 1, 0, 4}));
}

}  // namespace
}  // namespace stepwise
