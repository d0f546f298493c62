#include "stepwise/sim/input_span.hpp"

#include <gtest/gtest.h>

#include "networks.hpp"
#include "stepwise/sim/tangent_kernel.hpp"

namespace stepwise {
namespace {

using test::columns;
using test::Vector;

TEST(InputSpan, ANetworkConfinedToItTrainsAsBefore) {
  constexpr std::int64_t n = 6;
  test::NetworkOptions options{2, scalar_activation("tanh")};
  options.inputs = 11;
  Vector x = test::normal_columns(options.inputs, n, 2);
  std::copy_n(x.begin(), options.inputs, x.begin() + options.inputs);  // two samples alike: the span has fewer
  const InputSpan span = input_span(columns(x, options.inputs));
  EXPECT_EQ(span.dimensions(), n);
  const Vector fewer = coordinates(span, columns(x, options.inputs));
  const Optimiser optimiser{0.002, 0.9};
  test::on_every_training_grid([&](const TrainingGrid& grid) {
    const Range own = batch_share(grid, n, 2);
    const TrainedNetwork whole = test::drawn(options, grid);
    TrainedNetwork part = whole;
    confine(part, span);
    NetworkTraining one = begin_network_training(whole, optimiser);
    NetworkTraining other = begin_network_training(part, optimiser);
    for (int step = 0; step < 20; ++step) {
      const double loss = train(one, grid, columns(x, options.inputs, own), SimplifiedBarlowTwins{}, {2}, optimiser);
      EXPECT_NEAR(train(other, grid, columns(fewer, n, own), SimplifiedBarlowTwins{}, {2}, optimiser), loss, 1e-10);
    }
    EXPECT_NEAR(weight_distance(one.network, whole.parameters, grid.width).total,
                weight_distance(other.network, part.parameters, grid.width).total, 1e-10);
    EXPECT_LT(test::largest_difference(tangent_kernel(one.network, grid, columns(x, options.inputs, own)).rows,
                                       tangent_kernel(other.network, grid, columns(fewer, n, own)).rows),
              1e-9);
  });
}

TEST(TrainingGrid, SharesOfSamplesAreThoseOfItsRanksTogether) {
  test::on_every_training_grid([&](const TrainingGrid& grid) {
    for (const std::int64_t n : {2, 6, 10, 30}) {
      const Range own = batch_share(grid, n, 2);
      const Range mine = sample_share(grid.all, n, 2);
      EXPECT_LE(own.begin, mine.begin);
      EXPECT_GE(own.end, mine.end);
      EXPECT_EQ(sum(grid.data, own.size()), n);
    }
  });
}

}  // namespace
}  // namespace stepwise
