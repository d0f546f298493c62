#include "stepwise/io/checkpoint_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "stepwise/dist/agree.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

using test::every_grid;
using test::make_matrix;
using test::normal_entry;
using test::world;

class CheckpointFileTest : public ::testing::Test {
 protected:
  void SetUp() override { remove(); }
  void TearDown() override { remove(); }
  void remove() const {
    MPI_Barrier(MPI_COMM_WORLD);
    if (world().rank() == 0) std::filesystem::remove(path_);
    MPI_Barrier(MPI_COMM_WORLD);
  }

  static constexpr std::int64_t samples = 23;
  static constexpr std::int64_t width = 3;

  void write() const {
    CheckpointWriter file(world(), path_);
    file.attributes({{"stage", std::string("krylov")}});
    file.counts("/counts", std::vector<std::int64_t>{-1, 7, std::int64_t{1} << 60});
    file.numbers("/numbers", std::vector<double>{0.1, -0.0, std::numeric_limits<double>::infinity(), 5e-324});
    const Range own = sample_share(world(), samples, 1);
    std::vector<double> rows(static_cast<std::size_t>((width + 2) * own.size()), -1);
    const MatrixView<double> view{rows.data(), width, own.size(), width + 2};
    for (std::int64_t s = 0; s < own.size(); ++s) {
      for (std::int64_t j = 0; j < width; ++j) view(j, s) = normal_entry(own.begin + s, j, 1);
    }
    file.rows("/rows", samples, own, view);
    file.matrix("/matrix", make_matrix(every_grid().front(), samples, samples, 4,
                                       [](auto i, auto j) { return normal_entry(i, j, 2); }));
    EXPECT_GT(file.commit(), 0);
  }

  const std::string path_ =
      std::string(STEPWISE_TEST_SCRATCH) + "/checkpoint_" + std::to_string(world().size()) + ".h5";
};

TEST_F(CheckpointFileTest, NumbersComeBackBitByBitOnEveryGrid) {
  write();
  for (const auto& grid : every_grid()) {
    CheckpointReader file(world(), path_);
    EXPECT_EQ(file.counts("/counts"), (std::vector<std::int64_t>{-1, 7, std::int64_t{1} << 60}));
    const std::vector<double> numbers = file.numbers("/numbers");
    ASSERT_EQ(numbers.size(), 4U);
    EXPECT_EQ(numbers[0], 0.1);
    EXPECT_TRUE(std::signbit(numbers[1]));
    EXPECT_TRUE(std::isinf(numbers[2]));
    EXPECT_EQ(numbers[3], 5e-324);
    // Another share than the writer's: all on the last rank.
    const Range own = world().rank() == world().size() - 1 ? Range{0, samples} : Range{0, 0};
    std::vector<double> rows(static_cast<std::size_t>(width * own.size()));
    file.rows("/rows", own, {rows.data(), width, own.size(), width});
    for (std::int64_t i = 0; i < std::ssize(rows); ++i) {
      EXPECT_EQ(rows[static_cast<std::size_t>(i)], normal_entry(i / width, i % width, 1));
    }
    DistMatrix matrix(grid, samples, samples, 6);
    file.matrix("/matrix", matrix);
    const auto local = matrix.local();
    for (std::int64_t j = 0; j < local.cols; ++j) {
      for (std::int64_t i = 0; i < local.rows; ++i) {
        EXPECT_EQ(local(i, j), normal_entry(matrix.global_row(i), matrix.global_col(j), 2));
      }
    }
    EXPECT_TRUE(file.contains("/rows"));
    EXPECT_FALSE(file.contains("/more"));
  }
}

TEST_F(CheckpointFileTest, Replaces) {
  write();
  {
    CheckpointWriter unfinished(world(), path_);
    unfinished.numbers("/numbers", std::vector<double>{1});
  }
  EXPECT_EQ(CheckpointReader(world(), path_).numbers("/numbers").size(), 4U);
  CheckpointWriter next(world(), path_);
  next.numbers("/numbers", std::vector<double>{1});
  next.commit();
  EXPECT_EQ(CheckpointReader(world(), path_).numbers("/numbers"), std::vector<double>{1});
}

/// One bit of the file's largest matrix is turned round.
TEST_F(CheckpointFileTest, DamageIsSeen) {
  write();
  attempt_on_root(world(), [&] {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(file)), {});
    const double number = normal_entry(5, 7, 2);
    const std::string sought(reinterpret_cast<const char*>(&number), sizeof number);  // NOLINT: its bytes
    const auto place = bytes.find(sought);
    ASSERT_NE(place, std::string::npos);
    file.clear();
    file.seekp(static_cast<std::streamoff>(place));
    file.put(static_cast<char>(bytes[place] ^ 1));
  });
  CheckpointReader file(world(), path_);
  EXPECT_EQ(file.numbers("/numbers").size(), 4U);
  DistMatrix matrix(every_grid().front(), samples, samples, 4);
  try {
    file.matrix("/matrix", matrix);
    ADD_FAILURE() << "not seen";
  } catch (const CollectiveError& error) {
    EXPECT_EQ(error.code(), ExitCode::input);
    EXPECT_THAT(error.what(), ::testing::AllOf(::testing::HasSubstr(path_), ::testing::HasSubstr("/matrix"),
                                               ::testing::HasSubstr("damaged")));
  }
}

}  // namespace
}  // namespace stepwise
