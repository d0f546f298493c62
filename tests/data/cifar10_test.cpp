#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "data/image_folder.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

class Cifar10 : public ImageFolder {
 protected:
  Cifar10() : ImageFolder(ImageSet::cifar10) {}

  /// Records whose label is (first + i) % 10 and whose pixels count up from there.
  std::string write(const std::string& name, int first, int records) const {
    std::string bytes;
    for (int i = first; i < first + records; ++i) {
      bytes.push_back(static_cast<char>(i % 10));
      for (int p = 0; p < 3072; ++p) bytes.push_back(static_cast<char>((i + p) % 256));
    }
    return write_bytes(name, bytes);
  }

  static void expect_records(const StoredImages& images, int first, int count) {
    EXPECT_EQ(images.shape, (ImageShape{3, 32, 32}));
    ASSERT_EQ(std::ssize(images.labels), count);
    ASSERT_EQ(std::ssize(images.pixels), count * 3072);
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(images.labels[static_cast<std::size_t>(i)], (first + i) % 10);
      for (const int p : {0, 1, 1023, 1024, 3071}) {
        EXPECT_EQ(images.pixels[static_cast<std::size_t>(3072 * i + p)], (first + i + p) % 256);
      }
    }
  }
};

TEST_F(Cifar10, ReadsTheFirstImagesAcrossBatches) {
  write("data_batch_1.bin", 0, 5);
  write("data_batch_2.bin", 5, 4);
  write("data_batch_4.bin.part", 9, 4);
  write("test_batch.bin", 100, 3);
  EXPECT_EQ(count(directory_, ImagePart::train), 9);
  EXPECT_EQ(count(directory_, ImagePart::test), 3);
  for (const int count : {0, 1, 5, 6, 9}) expect_records(first(directory_, ImagePart::train, count), 0, count);
  expect_records(first(directory_, ImagePart::test, 2), 100, 2);
}

TEST_F(Cifar10, ReadsMoreThanOneStretchOfAFile) {
  const std::string file = write("images.bin", 0, 2050);
  EXPECT_EQ(count(file, ImagePart::test), 2050);
  expect_records(first(file, ImagePart::train, 2050), 0, 2050);
  expect_records(first(file, ImagePart::test, 1025), 0, 1025);
}

TEST_F(Cifar10, ReadsAnyRange) {
  write("data_batch_1.bin", 0, 5);
  write("data_batch_2.bin", 5, 4);
  const auto files = find_images(set_, directory_, ImagePart::train);
  expect_records(read_images(set_, files, {3, 8}), 3, 5);
  expect_records(read_images(set_, files, {6, 9}), 6, 3);
  expect_error(ExitCode::internal, {"images 0 to 10", "there are 9"}, [&] { (void)read_images(set_, files, {0, 10}); });
}

TEST_F(Cifar10, MissingFilesAndDirectories) {
  expect_input_error({"nowhere", "no such file or directory"}, (directory_ / "nowhere").string());
  expect_input_error({"data_batch_1.bin", "no such file", "binary version"}, directory_);
  expect_input_error({"test_batch.bin", "no such file"}, directory_, ImagePart::test);
  write("data_batch_1.bin", 0, 2);
  write("data_batch_3.bin", 2, 2);
  expect_input_error({"data_batch_2.bin", "no such file"}, directory_);
  const std::string file = write("one.bin", 0, 1);
  expect_input_error({"one.bin/below"}, file + "/below");
}

TEST_F(Cifar10, DirectoryOrDeviceWhereAFileBelongs) {
  fs::create_directories(directory_ / "data_batch_1.bin");
  expect_input_error({"data_batch_1.bin", "is a directory"}, directory_);
  expect_input_error({"/dev/null", "not a regular file"}, "/dev/null");
}

TEST_F(Cifar10, EmptyTruncatedAndForeignFiles) {
  expect_input_error({"empty.bin", "is empty"}, write_bytes("empty.bin", ""));
  expect_input_error({"short.bin", "3072 bytes", "multiple of 3073"}, write_bytes("short.bin", std::string(3072, 0)));
  expect_input_error({"long.bin", "6147 bytes", "truncated"}, write_bytes("long.bin", std::string(6147, 0)));
  write("data_batch_1.bin", 0, 2);
  write_bytes("data_batch_2.bin", std::string(3072, 0));
  expect_input_error({"data_batch_2.bin", "3072 bytes"}, directory_);
}

TEST_F(Cifar10, LabelAboveNine) {
  std::string bytes(2 * 3073, 1);
  bytes[3073] = static_cast<char>(200);
  const std::string file = write_bytes("labels.bin", bytes);
  expect_input_error({"labels.bin", "image 1", "label 200", "0 to 9"}, file, ImagePart::train, 2);
  EXPECT_EQ(first(file, ImagePart::train, 1).labels, std::vector<std::int64_t>{1});
}

TEST_F(Cifar10, UnreadableFile) {
  const std::string file = write("secret.bin", 0, 1);
  fs::permissions(file, fs::perms::none);
  // The superuser may read anything, so step down meanwhile.
  const uid_t user = geteuid();
  if (user == 0) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  expect_input_error({"secret.bin", "Permission denied"}, file);
  ASSERT_EQ(seteuid(user), 0);
}

TEST_F(Cifar10, TheRealImages) {
  const fs::path real = fs::path(STEPWISE_SHARED_DIR) / "data" / "cifar-10-batches-bin";
  if (!fs::exists(real / "data_batch_1.bin"))
    GTEST_SKIP() << "no CIFAR-10 in " << real << ": the real images go unread";
  EXPECT_GE(count(real, ImagePart::test), 2000);
  const StoredImages images = first(real, ImagePart::train, 10000);
  double mean = 0;
  for (const std::uint8_t value : images.pixels) mean += value / static_cast<double>(images.pixels.size());
  EXPECT_NEAR(mean, 120.7, 2);
  for (std::int64_t label = 0; label < 10; ++label) {
    EXPECT_NEAR(static_cast<double>(std::ranges::count(images.labels, label)), 1000, 100);
  }
  // Pixels resemble their neighbours to the right and below, and the same place in the next channel: the layout is
  // right.
  for (const std::size_t step : {1U, 32U, 1024U}) {
    double difference = 0;
    for (std::size_t image = 0; image < 10000; ++image) {
      const std::uint8_t* pixel = images.pixels.data() + 3072 * image + 15 * 32 + 15;
      difference += std::abs(pixel[0] - pixel[step]) / 10000.0;
    }
    EXPECT_LT(difference, 25) << "at distance " << step;
  }
}

}  // namespace
}  // namespace stepwise
