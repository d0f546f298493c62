#include "stepwise/data/images.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "data/expect_error.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

std::vector<std::uint8_t> image_of(const ImageSource& source, std::int64_t index) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(shape(source).size()));
  read_image(source, index, out);
  return out;
}

TEST(StoredImages, AreReadByIndex) {
  const StoredImages stored{{1, 1, 2}, {1, 2, 3, 4, 5, 6}, {}};
  EXPECT_EQ(shape(stored), (ImageShape{1, 1, 2}));
  EXPECT_EQ(image_of(stored, 0), (std::vector<std::uint8_t>{1, 2}));
  EXPECT_EQ(image_of(stored, 2), (std::vector<std::uint8_t>{5, 6}));
  expect_error(ExitCode::internal, {"image 3", "only 3"}, [&] { image_of(stored, 3); });
  expect_error(ExitCode::internal, {"-1"}, [&] { image_of(stored, -1); });
}

TEST(DeadLeaves, ImageIsAFunctionOfSeedAndIndex) {
  const DeadLeaves source{{3, 32, 32}, 11, 0};
  const auto fifth = image_of(source, 5);
  EXPECT_EQ(image_of(source, 5), fifth);
  EXPECT_EQ(image_of(DeadLeaves{{3, 32, 32}, 11, 3}, 2), fifth) << "indices must continue where the first set ended";
  EXPECT_NE(image_of(source, 6), fifth);
  EXPECT_NE(image_of(DeadLeaves{{3, 32, 32}, 12, 0}, 5), fifth);
}

TEST(DeadLeaves, EveryPixelIsPaintedInAnyShape) {
  for (const ImageShape& wanted : {ImageShape{1, 1, 1}, ImageShape{3, 5, 40}, ImageShape{1, 28, 28}}) {
    const DeadLeaves source{wanted, 1, 0};
    for (std::int64_t i = 0; i < 20; ++i) {
      std::vector<std::uint8_t> black(static_cast<std::size_t>(wanted.size()), 0);
      std::vector<std::uint8_t> white(black.size(), 255);
      read_image(source, i, black);
      read_image(source, i, white);
      EXPECT_EQ(black, white);
    }
  }
}

/// Correlation of pixels `distance` apart in a row, over many images and all channels.
double row_correlation(const DeadLeaves& source, std::int64_t distance) {
  const ImageShape& s = source.shape;
  double n = 0, sum = 0, square = 0, product = 0;
  for (std::int64_t i = 0; i < 300; ++i) {
    const auto image = image_of(source, i);
    for (std::int64_t row = 0; row < s.channels * s.height; ++row) {
      for (std::int64_t x = 0; x + distance < s.width; ++x) {
        const double here = image[static_cast<std::size_t>(row * s.width + x)];
        const double there = image[static_cast<std::size_t>(row * s.width + x + distance)];
        n += 1;
        sum += (here + there) / 2;
        square += (here * here + there * there) / 2;
        product += here * there;
      }
    }
  }
  return (product / n - sum * sum / n / n) / (square / n - sum * sum / n / n);
}

TEST(DeadLeaves, NearPixelsResembleEachOtherAndFarOnesLess) {
  const DeadLeaves source{{3, 32, 32}, 2, 0};
  const double at_1 = row_correlation(source, 1);
  const double at_4 = row_correlation(source, 4);
  const double at_16 = row_correlation(source, 16);
  EXPECT_GT(at_1, 0.8);
  EXPECT_GT(at_1, at_4);
  EXPECT_GT(at_4, at_16);
  EXPECT_GT(at_16, 0.2) << "the tint of an image reaches all over it";
}

TEST(DeadLeaves, ImagesVary) {
  const DeadLeaves source{{3, 32, 32}, 3, 0};
  std::set<std::string> distinct;
  double mean = 0, square = 0, least_values = 1e9;
  constexpr int images = 200;
  for (int i = 0; i < images; ++i) {
    const auto image = image_of(source, i);
    distinct.emplace(image.begin(), image.end());
    least_values = std::min(least_values, static_cast<double>(std::set(image.begin(), image.end()).size()));
    for (const std::uint8_t value : image) {
      mean += value / (3072.0 * images);
      square += value * value / (3072.0 * images);
    }
  }
  EXPECT_EQ(distinct.size(), std::size_t{images});
  EXPECT_GT(least_values, 8) << "an image needs several discs";
  EXPECT_NEAR(mean, 127.5, 10);
  EXPECT_GT(std::sqrt(square - mean * mean), 30);
}

class Cifar10 : public testing::Test {
 protected:
  Cifar10() {
    const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
    directory_ = fs::path(STEPWISE_TEST_SCRATCH) / "cifar10" / test->name();
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }

  /// Records whose label is (first + i) % 10 and whose pixels count up from there.
  std::string write(const std::string& name, int first, int records) const {
    std::string bytes;
    for (int i = first; i < first + records; ++i) {
      bytes.push_back(static_cast<char>(i % 10));
      for (int p = 0; p < 3072; ++p) bytes.push_back(static_cast<char>((i + p) % 256));
    }
    return write_bytes(name, bytes);
  }

  std::string write_bytes(const std::string& name, const std::string& bytes) const {
    const std::string path = (directory_ / name).string();
    std::FILE* file = std::fopen(path.c_str(), "wb");
    EXPECT_NE(file, nullptr);
    EXPECT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
    EXPECT_EQ(std::fclose(file), 0);
    return path;
  }

  static void expect_input_error(const std::vector<std::string>& parts, const std::string& path,
                                 Cifar10Part part = Cifar10Part::train, std::int64_t count = 1) {
    expect_error(ExitCode::input, parts, [&] { (void)read_cifar10(path, part, count); });
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

  fs::path directory_;
};

TEST_F(Cifar10, ReadsTheFirstImagesAcrossBatches) {
  write("data_batch_1.bin", 0, 5);
  write("data_batch_2.bin", 5, 4);
  write("data_batch_4.bin.part", 9, 4);
  write("test_batch.bin", 100, 3);
  EXPECT_EQ(count_cifar10(directory_, Cifar10Part::train), 9);
  EXPECT_EQ(count_cifar10(directory_, Cifar10Part::test), 3);
  for (const int count : {0, 1, 5, 6, 9}) expect_records(read_cifar10(directory_, Cifar10Part::train, count), 0, count);
  expect_records(read_cifar10(directory_, Cifar10Part::test, 2), 100, 2);
}

TEST_F(Cifar10, ReadsMoreThanOneStretchOfAFile) {
  const std::string file = write("images.bin", 0, 2050);
  EXPECT_EQ(count_cifar10(file, Cifar10Part::test), 2050);
  expect_records(read_cifar10(file, Cifar10Part::train, 2050), 0, 2050);
  expect_records(read_cifar10(file, Cifar10Part::test, 1025), 0, 1025);
}

TEST_F(Cifar10, SaysHowManyThereAre) {
  write("data_batch_1.bin", 0, 5);
  write("data_batch_2.bin", 5, 4);
  write("test_batch.bin", 0, 3);
  expect_input_error({"--data.pairs", "10", "has 9", "2 batch files"}, directory_, Cifar10Part::train, 10);
  expect_input_error({"--data.test", "has 3", "1 batch file"}, directory_, Cifar10Part::test, 1'000'000'000'000);
  expect_input_error({"--data.pairs is -1"}, directory_, Cifar10Part::train, -1);
}

TEST_F(Cifar10, MissingFilesAndDirectories) {
  expect_input_error({"nowhere", "no such file or directory"}, directory_ / "nowhere");
  expect_input_error({"data_batch_1.bin", "no such file", "binary version"}, directory_);
  expect_input_error({"test_batch.bin", "no such file"}, directory_, Cifar10Part::test);
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
  expect_input_error({"labels.bin", "image 1", "label 200", "0 to 9"}, file, Cifar10Part::train, 2);
  EXPECT_EQ(read_cifar10(file, Cifar10Part::train, 1).labels, std::vector<std::int64_t>{1});
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
  EXPECT_GE(count_cifar10(real, Cifar10Part::test), 2000);
  const StoredImages images = read_cifar10(real, Cifar10Part::train, 10000);
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
