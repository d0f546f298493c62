#include "stepwise/dist/shared_counter.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace stepwise {
namespace {

TEST(SharedCounter, EveryNumberOnce) {
  const Communicator world(MPI_COMM_WORLD);
  constexpr std::int64_t tasks = 200;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::int64_t> taken(tasks);
    SharedCounter counter(world);
    for (std::int64_t t = counter.take(); t < tasks; t = counter.take()) ++taken[static_cast<std::size_t>(t)];
    sum(world, taken);
    EXPECT_EQ(taken, std::vector<std::int64_t>(tasks, 1));
  }
}

TEST(SharedCounter, OneRankCanEndItForAll) {
  const Communicator world(MPI_COMM_WORLD);
  constexpr std::int64_t many = std::int64_t{1} << 40;
  SharedCounter counter(world);
  if (world.rank() == world.size() - 1) (void)counter.take(many);
  while (counter.take() < many) {
  }
  SUCCEED();
}

}  // namespace
}  // namespace stepwise
