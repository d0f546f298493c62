#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "data/expect_error.hpp"
#include "stepwise/data/image_files.hpp"

namespace stepwise {

/// Gives each test a directory of its own.
class ImageFolder : public testing::Test {
 protected:
  explicit ImageFolder(ImageSet set) : set_(set) {
    const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
    directory_ = std::filesystem::path(STEPWISE_TEST_SCRATCH) / test->test_suite_name() / test->name();
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }

  std::string write_bytes(const std::string& name, const std::string& bytes) const {
    const std::string path = (directory_ / name).string();
    std::FILE* file = std::fopen(path.c_str(), "wb");
    EXPECT_NE(file, nullptr);
    EXPECT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
    EXPECT_EQ(std::fclose(file), 0);
    return path;
  }

  std::int64_t count(const std::string& path, ImagePart part) const {
    return image_count(find_images(set_, path, part));
  }

  /// The first `wanted` images.
  StoredImages first(const std::string& path, ImagePart part, std::int64_t wanted) const {
    return read_images(set_, find_images(set_, path, part), {0, wanted});
  }

  void expect_input_error(const std::vector<std::string>& parts, const std::string& path,
                          ImagePart part = ImagePart::train, std::int64_t wanted = 1) const {
    expect_error(ExitCode::input, parts, [&] { (void)first(path, part, wanted); });
  }

  ImageSet set_;
  std::filesystem::path directory_;
};

}  // namespace stepwise
