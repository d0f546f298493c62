#include "stepwise/theory/estimate.hpp"

#include <gtest/gtest.h>

#include "stepwise/theory/cost.hpp"

namespace stepwise {
namespace {

constexpr double gibibyte = 1024.0 * 1024 * 1024;

Machine machine_of(std::int64_t ranks) {
  Machine machine;
  machine.ranks_per_node = ranks;
  machine.memory = 64 * gibibyte;
  machine.process_bytes = process_bytes(1);
  return machine;
}

GridShape grid_of(const Machine& machine) {
  return nearly_square(static_cast<int>(machine.ranks()));
}

Job job_of(const std::string& method, const std::string& storage, std::int64_t samples, const Machine& machine) {
  Job job{.method = method, .storage = storage, .samples = samples, .inputs = 300, .features = 300, .modes = 20};
  job.grid = grid_of(machine);
  job.entry_cost = 1000;
  job.tile_numbers = 512 * 1024;
  job.krylov = krylov_sizes(samples, {.modes = job.modes});
  return job;
}

struct Named {
  const char* method;
  const char* storage;
};
constexpr Named ways[] = {{"krylov", "double"},   {"krylov", "single"},   {"krylov", "none"},
                          {"cholesky", "double"}, {"spectral", "double"}, {"primal", "double"}};

TEST(Cost, IsTheSumOfItsStages) {
  for (const Factorisation factorisation : {Factorisation::cholesky, Factorisation::spectral}) {
    const double factor = factorisation == Factorisation::cholesky ? cholesky_cost(500) : eigensolve_cost(500, 500);
    EXPECT_DOUBLE_EQ(direct_cost(500, factorisation, 7),
                     factor + contrastive_product_cost(500, factorisation) + eigensolve_cost(500, 7));
  }
  EXPECT_LT(eigensolve_cost(500, 0), eigensolve_cost(500, 100));
  EXPECT_LT(eigensolve_cost(500, 250), eigensolve_cost(500, 251));  // another solver
}

TEST(Estimate, PeakIsTheLargestPhaseNotTheSum) {
  const Machine machine = machine_of(4);
  for (const auto& [method, storage] : ways) {
    const Estimate result = estimate(job_of(method, storage, 10'000, machine), machine);
    double all = 0;
    double seconds = 0;
    for (const Phase& phase : result.phases) {
      EXPECT_LE(phase.bytes() + result.process_bytes, result.peak()) << phase.name;
      EXPECT_GE(phase.seconds, 0) << phase.name;
      EXPECT_DOUBLE_EQ(result.seconds(phase.name), phase.seconds);
      all += phase.bytes();
      seconds += phase.seconds;
    }
    EXPECT_LT(result.largest().bytes(), all);
    EXPECT_DOUBLE_EQ(result.seconds(), seconds);
  }
  EXPECT_EQ(estimate(job_of("krylov", "none", 1000, machine), machine).seconds("no such stage"), 0);
}

TEST(Estimate, GrowsWithTheSamples) {
  const Machine machine = machine_of(2);
  for (const auto& [method, storage] : ways) {
    double bytes = 0;
    double seconds = 0;
    for (const std::int64_t samples : {1'000, 3'000, 10'000, 100'000, 1'000'000}) {
      const Estimate result = estimate(job_of(method, storage, samples, machine), machine);
      EXPECT_GT(result.peak(), bytes) << method << samples;
      EXPECT_GT(result.seconds(), seconds) << method << samples;
      bytes = result.peak();
      seconds = result.seconds();
    }
  }
}

TEST(Estimate, RanksShareTheMatrix) {
  // K, W, M, Z and the workspace of two stages; on one rank nothing is sent.
  const Machine alone = machine_of(1);
  const Estimate one = estimate(job_of("cholesky", "double", 8192, alone), alone);
  const double matrix = 8.0 * 8192 * 8192;
  EXPECT_EQ(one.largest().name, "eigenpairs of M");
  EXPECT_DOUBLE_EQ(one.largest().bytes(), (4 + eigensolver_workspace({1, 1}, 8192, 20)) * matrix);
  for (const Phase& phase : one.phases) EXPECT_EQ(phase.sent, 0) << phase.name;
  const Machine four = machine_of(4);
  const Estimate shared = estimate(job_of("cholesky", "double", 8192, four), four);
  EXPECT_DOUBLE_EQ(4 * shared.largest().arrays.front().bytes, matrix);
  EXPECT_GT(shared.largest().sent, 0);
  EXPECT_LT(shared.peak(), one.peak() / 3);
  // Half of K over all ranks, whatever their number.
  for (const std::int64_t ranks : {1, 2, 7}) {
    const Machine some = machine_of(ranks);
    const Estimate krylov = estimate(job_of("krylov", "double", 8192, some), some);
    EXPECT_EQ(krylov.phases[1].arrays.front().name, "half of K");
    EXPECT_NEAR(static_cast<double>(ranks) * krylov.phases[1].arrays.front().bytes, matrix / 2, 1);
  }
}

TEST(Estimate, StoresLessAndComputesMore) {
  const Machine machine = machine_of(4);
  const auto of = [&](const char* storage) { return estimate(job_of("krylov", storage, 40'000, machine), machine); };
  EXPECT_LT(of("single").peak(), of("double").peak());
  EXPECT_LT(of("none").peak(), of("single").peak());
  EXPECT_LT(of("double").seconds(), of("none").seconds());
}

TEST(Estimate, ABetterMachineIsFaster) {
  const Machine machine = machine_of(4);
  Machine better = machine;
  better.flops_per_core *= 2;
  Machine bound = machine;
  bound.memory_bandwidth /= 100;
  for (const auto& [method, storage] : ways) {
    const Job job = job_of(method, storage, 20'000, machine);
    EXPECT_LT(estimate(job, better).seconds(), estimate(job, machine).seconds()) << method;
    EXPECT_GE(estimate(job, bound).seconds(), estimate(job, machine).seconds()) << method;
  }
}

TEST(LargestSamples, FitAndNoMoreDo) {
  const Machine machine = machine_of(4);
  for (const auto& [method, storage] : ways) {
    const auto of = [&](std::int64_t samples) { return estimate(job_of(method, storage, samples, machine), machine); };
    const double memory = machine.memory_per_rank();
    const std::int64_t largest = largest_samples(of, memory, 2);
    EXPECT_GT(largest, 0);
    EXPECT_EQ(largest % 2, 0);
    EXPECT_LE(of(largest).peak(), memory);
    EXPECT_GT(of(largest + 2).peak(), memory);
    EXPECT_EQ(largest_samples(of, machine.process_bytes, 2), 0);
  }
}

}  // namespace
}  // namespace stepwise
