
#include "data/image_folder.hpp"

namespace stepwise {
namespace {

class Stl10 : public ImageFolder {
 protected:
  Stl10() : ImageFolder(ImageSet::stl10) {}

  /// Column after column: pixel (row, column) of channel c of image i is (i + 5 c + 2 row + column) % 256.
  static std::string images(int count) {
    std::string bytes;
    for (int i = 0; i < count; ++i) {
      for (int c = 0; c < 3; ++c) {
        for (int column = 0; column < 96; ++column) {
          for (int row = 0; row < 96; ++row) bytes.push_back(static_cast<char>((i + 5 * c + 2 * row + column) % 256));
        }
      }
    }
    return bytes;
  }
};

TEST_F(Stl10, TurnsColumnsIntoRows) {
  write_bytes("train_X.bin", images(3));
  write_bytes("train_y.bin", "\x3\xa\x1");
  const StoredImages two = read_images(set_, find_images(set_, directory_, ImagePart::train), {1, 3});
  EXPECT_EQ(two.shape, (ImageShape{3, 96, 96}));
  EXPECT_EQ(two.labels, (std::vector<std::int64_t>{10, 1}));
  ASSERT_EQ(std::ssize(two.pixels), 2 * 27648);
  for (int i = 0; i < 2; ++i) {
    for (const int c : {0, 2}) {
      for (const int row : {0, 1, 95}) {
        for (const int column : {0, 1, 95}) {
          const auto at = static_cast<std::size_t>(((3 * i + c) * 96 + row) * 96 + column);
          EXPECT_EQ(two.pixels[at], (1 + i + 5 * c + 2 * row + column) % 256);
        }
      }
    }
  }
}

TEST_F(Stl10, PartsAndUnlabelledImages) {
  write_bytes("train_X.bin", images(2));
  EXPECT_EQ(find_images(set_, directory_, ImagePart::test), find_images(set_, directory_, ImagePart::train));
  EXPECT_TRUE(first(directory_, ImagePart::train, 2).labels.empty());
  write_bytes("test_X.bin", images(1));
  EXPECT_EQ(count(directory_, ImagePart::test), 1);
  EXPECT_EQ(count(directory_, ImagePart::train), 2);
}

TEST_F(Stl10, BadFiles) {
  expect_input_error({"neither train_X.bin nor test_X.bin"}, directory_);
  expect_input_error({"cut.bin", "27647 bytes", "multiple of 27648"},
                     write_bytes("cut.bin", images(1).substr(0, 27647)));
  write_bytes("train_X.bin", images(2));
  write_bytes("train_y.bin", "\x1");
  expect_input_error({"train_y.bin", "has 1 labels", "2 images"}, directory_);
  write_bytes("train_y.bin", "\x1\xb");
  expect_input_error({"train_y.bin", "image 1", "label 11", "1 to 10"}, directory_, ImagePart::train, 2);
}

}  // namespace
}  // namespace stepwise
