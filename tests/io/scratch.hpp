#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "stepwise/dist/agree.hpp"
#include "support/grids.hpp"

namespace stepwise::test {

namespace fs = std::filesystem;

/// A fresh directory that all ranks know, empty at the beginning of each test and removed at its end.
class ResultFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = STEPWISE_TEST_SCRATCH "/io.XXXXXX";
    if (world().rank() == 0 && mkdtemp(name.data()) == nullptr) throw std::runtime_error("no directory " + name);
    directory_ = broadcast(world(), name);
  }
  void TearDown() override {
    agree(world(), std::nullopt);
    if (world().rank() == 0) fs::remove_all(directory_);
  }

  [[nodiscard]] std::string file(const std::string& name = "out.h5") const { return directory_ + "/" + name; }
  [[nodiscard]] std::vector<std::string> content() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_)) names.push_back(entry.path().filename());
    return names;
  }
  /// What the directory holds, looked at by rank 0 after all ranks have come this far and before any goes on.
  void expect_content(const std::vector<std::string>& names) const {
    agree(world(), std::nullopt);
    if (world().rank() == 0) {
      EXPECT_THAT(content(), testing::UnorderedElementsAreArray(names));
    }
    agree(world(), std::nullopt);
  }

 private:
  std::string directory_;
};

/// Every rank must throw a CollectiveError with this code, and all of `parts` in its message.
inline void expect_refusal(ExitCode code, const std::vector<std::string>& parts, const std::function<void()>& work) {
  try {
    work();
    ADD_FAILURE() << "no error";
  } catch (const CollectiveError& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    for (const std::string& part : parts) EXPECT_THAT(error.what(), testing::HasSubstr(part));
  }
}

}  // namespace stepwise::test
