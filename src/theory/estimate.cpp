#include "stepwise/theory/estimate.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "stepwise/dist/block_cyclic.hpp"
#include "stepwise/theory/cost.hpp"

namespace stepwise {
namespace {

constexpr double number = 8;  // bytes
constexpr double mebibyte = 1024 * 1024;
constexpr double embedding_batch = 256;  // samples embedded at a time
constexpr double feature_panel = 512;    // features multiplied at a time
constexpr double rotated_at_once = 1024;
/// What whole algorithms reach of the speed of a large product, and evaluation of the kernel of that of one tile.
constexpr double dense_efficiency = 0.6;
constexpr double kernel_efficiency = 0.8;
/// Bytes a second that one thread adds up.
constexpr double serial_bandwidth = 8e9;
constexpr double rough = 0.5;  // cost of single precision in that of double
constexpr double exact_passes = 3;
/// A search with rough products starts over, which costs passes; a warm start saves most of them.
constexpr double more_rough_passes = 8;
constexpr double more_warm_passes = 2;
constexpr double inside_node_latency = 1e-6;

/// What is the same in all phases.
struct Sizes {
  explicit Sizes(const Job& job, const Machine& machine)
      : n(static_cast<double>(job.samples)),
        m(static_cast<double>(job.features)),
        d(static_cast<double>(job.modes)),
        ranks(static_cast<double>(machine.ranks())),
        threads(static_cast<double>(machine.threads)),
        share(std::ceil(n / ranks)),
        hops(std::ceil(std::log2(std::max(ranks, 1.0)))) {}
  double n;
  double m;
  double d;
  double ranks;
  double threads;
  double share;  // samples of a rank
  double hops;   // messages of one reduction
};

/// The local part of an n x n matrix on the rank that has most of it.
double local_matrix(std::int64_t n, const Job& job) {
  const BlockCyclic rows{n, job.block, job.grid.rows};
  const BlockCyclic cols{n, job.block, job.grid.cols};
  return number * static_cast<double>(rows.local_count(0)) * static_cast<double>(cols.local_count(0));
}

/// Bytes that a rank sends in one product or factorisation of an n x n matrix.
double panels(double n, const Sizes& size) {
  return size.ranks > 1 ? number * n * n / std::sqrt(size.ranks) : 0;
}

struct Work {
  double dense = 0;    // flops of distributed algorithms
  double kernel = 0;   // of kernel entries
  double traffic = 0;  // bytes of memory, all ranks
  double cores = 1;    // the part of them that works
  double serial = 0;   // bytes that one thread of each rank adds up meanwhile
};

double seconds_of(const Phase& phase, const Work& work, const Machine& machine) {
  const double rate = machine.cores() * work.cores * machine.flops_per_core;
  const double dense = work.dense / (dense_efficiency * rate);
  const double moving = work.traffic / (machine.memory_bandwidth * static_cast<double>(machine.nodes));
  const bool alone = machine.nodes == 1;
  // Inside a node a message is a copy in and a copy out.
  const double bandwidth = alone ? machine.memory_bandwidth / 2 : machine.network_bandwidth;
  const double sending = phase.sent * static_cast<double>(machine.ranks_per_node) / bandwidth;
  const double waiting = phase.messages * (alone ? inside_node_latency : machine.network_latency);
  return std::max(dense, moving) + work.kernel / (kernel_efficiency * rate) + sending + waiting +
         work.serial / serial_bandwidth + phase.io / machine.disk_bandwidth;
}

class Plan {
 public:
  Plan(const Job& job, const Machine& machine) : machine_(machine), size_(job, machine) {
    estimate_.process_bytes = machine.process_bytes;
  }
  void add(Phase phase, const Work& work) {
    std::erase_if(phase.arrays, [](const Array& array) { return array.bytes == 0; });
    if (size_.ranks < 2) phase.sent = phase.messages = 0;
    phase.flops = work.dense + work.kernel;
    phase.seconds = seconds_of(phase, work, machine_);
    estimate_.phases.push_back(std::move(phase));
  }
  [[nodiscard]] const Sizes& size() const noexcept { return size_; }
  Estimate result() { return std::move(estimate_); }

 private:
  const Machine& machine_;
  Sizes size_;
  Estimate estimate_;
};

void add_reading(Plan& plan, const Job& job, double samples) {
  const Sizes& size = plan.size();
  const bool mapped = job.map_numbers > 0;
  Phase phase{.name = "read samples, make views"};
  phase.arrays = {{"samples", number * samples * size.m},
                  {"inputs", mapped ? number * samples * static_cast<double>(job.inputs) : 0},
                  {"weights", number * job.map_numbers}};
  phase.io = number * size.n * static_cast<double>(job.inputs);
  plan.add(std::move(phase), {});
}

/// A phase that solves one eigenproblem of order n.
void add_eigensolve(Plan& plan, const Job& job, const std::string& name, std::vector<Array> arrays, std::int64_t order,
                    std::int64_t vectors) {
  const Sizes& size = plan.size();
  const double n = static_cast<double>(order);
  arrays.push_back({"workspace", eigensolver_workspace(job.grid, order, vectors) * local_matrix(order, job)});
  Phase phase{.name = name, .arrays = std::move(arrays)};
  phase.sent = 8 * panels(n, size);
  phase.messages = 6 * n * size.hops;
  // One-stage reads the whole matrix for every column that it eliminates.
  const double traffic = 2 * vectors > order ? number * n * n * n / 3 : 0;
  const double cores = 1 / size.threads;  // ELPA without OpenMP
  plan.add(std::move(phase), {.dense = eigensolve_cost(order, vectors), .traffic = traffic, .cores = cores});
}

/// Vectors over the samples at the end: dual, K dual, embedding, and what writing copies.
void add_embedding(Plan& plan, const Job& job) {
  const Sizes& size = plan.size();
  const double vectors = number * size.share * size.d;
  const auto tests = static_cast<double>(job.tests);
  if (tests > 0) {
    Phase phase{.name = "test embeddings"};
    phase.arrays = {{"samples", number * size.share * size.m},
                    {"tile", number * size.share * std::min(tests, embedding_batch)},
                    {"modes", 4 * vectors + number * tests * size.d / size.ranks}};
    phase.sent = 2 * number * tests * size.d;
    phase.messages = std::ceil(tests / embedding_batch) * size.hops;
    plan.add(std::move(phase), {.kernel = tests * size.n * job.entry_cost});
  }
  Phase phase{.name = "write"};
  phase.arrays = {{"modes", 4 * vectors + number * tests * size.d / size.ranks},
                  {"gamma, numbers", 3 * number * size.n}};
  phase.io = number * ((2 * size.n + tests) * size.d + 3 * size.n);
  plan.add(std::move(phase), {});
}

void add_direct(Plan& plan, const Job& job) {
  const Sizes& size = plan.size();
  const double matrix = local_matrix(job.samples, job);
  const BlockCyclic rows{job.samples, job.block, job.grid.rows};
  const BlockCyclic cols{job.samples, job.block, job.grid.cols};
  const auto samples = static_cast<double>(rows.local_count(0) + cols.local_count(0));
  const Factorisation factorisation = job.method == "spectral" ? Factorisation::spectral : Factorisation::cholesky;
  const Array k{"K", matrix};
  const Array w{"W", matrix};
  add_reading(plan, job, samples);
  Phase kernel{.name = "kernel matrix", .arrays = {k, {"samples", number * samples * size.m}}};
  kernel.sent = matrix / 2;
  plan.add(std::move(kernel), {.kernel = size.n * size.n / 2 * job.entry_cost});

  if (factorisation == Factorisation::cholesky) {
    Phase factor{.name = "K = L L^T", .arrays = {k, w}};
    factor.sent = panels(size.n, size);
    factor.messages = 2 * size.n / static_cast<double>(job.block) * size.hops;
    plan.add(std::move(factor), {.dense = cholesky_cost(job.samples)});
  } else {
    add_eigensolve(plan, job, "K = U Lambda U^T", {k, {"copy of K", matrix}, w}, job.samples, job.samples);
  }
  Phase forming{.name = "M = W^T B W / c", .arrays = {k, w, {"B W", matrix}, {"M", matrix}}};
  forming.sent = 2 * panels(size.n, size);
  forming.messages = 2 * size.n / static_cast<double>(job.block) * size.hops;
  plan.add(std::move(forming), {.dense = contrastive_product_cost(job.samples, factorisation)});
  add_eigensolve(plan, job, "eigenpairs of M", {k, w, {"M", matrix}, {"Z", matrix}}, job.samples, job.modes);

  const double vectors = number * static_cast<double>(rows.local_count(0)) * std::ceil(size.d / job.grid.cols);
  Phase finishing{.name = "dual vectors, residuals",
                  .arrays = {k, w, {"modes", 6 * vectors + 2 * number * size.share * size.d}}};
  finishing.sent = 6 * panels(size.n, size) * size.d / size.n;
  plan.add(std::move(finishing), {.dense = 6 * size.n * size.n * size.d});
}

void add_primal(Plan& plan, const Job& job) {
  const Sizes& size = plan.size();
  const double matrix = local_matrix(job.features, job);
  const Array features{"features", number * size.share * size.m};
  const Array gamma{"Gamma", matrix};
  const Array weights{"weights", number * job.map_numbers};
  add_reading(plan, job, size.share);
  Phase forming{.name = "Gamma from features",
                .arrays = {features, weights, gamma, {"panel", number * (size.m + rotated_at_once) * feature_panel}}};
  forming.sent = number * size.m * size.m;
  forming.messages = size.m / feature_panel * size.hops;
  plan.add(std::move(forming), {.dense = size.n * size.m * size.m});
  add_eigensolve(plan, job, "eigenpairs of Gamma", {features, weights, gamma, {"copy of Gamma", matrix}, {"Z", matrix}},
                 job.features, job.modes);
  Phase finishing{.name = "dual vectors, residuals",
                  .arrays = {features, weights, gamma, {"modes", number * size.d * (4 * size.share + 2 * size.m)}}};
  finishing.sent = 6 * number * size.m * size.d;
  plan.add(std::move(finishing), {.dense = 8 * size.n * size.m * size.d});
}

/// Basis vectors with their images, blocks that are worked on, what products need for vectors of `moving` bytes a
/// sample, and the small matrices that every rank has.
std::vector<Array> krylov_arrays(const Sizes& size, const KrylovSizes& sizes, double modes, double share,
                                 double moving) {
  const auto basis = static_cast<double>(sizes.basis);
  const auto width = static_cast<double>(sizes.width);
  return {
      {"Q, K Q", 2 * number * basis * share},
      {"blocks, Ritz vectors", number * ((3 * width + 4 * modes) * share + std::min(share, rotated_at_once) * basis)},
      {"products", (size.ranks > 1 ? 6 + size.threads : 5 + size.threads) * moving * share},
      {"small matrices", 2 * number * basis * basis}};
}

void add_krylov(Plan& plan, const Job& job) {
  const Sizes& size = plan.size();
  const bool single = job.storage != "double";
  const bool stored = job.storage != "none";
  const double pairs = size.n * size.n / 2;  // entries of half the matrix
  const double bytes = single ? number / 2 : number;
  const Array k{"half of K", stored ? bytes * pairs / size.ranks : 0};
  const Array samples{"samples", number * size.share * size.m};
  const Array weights{"weights", number * job.map_numbers};
  const Array rough_samples{"samples, single", single ? number / 2 * size.share * size.m : 0};
  const double guests = std::min(size.ranks - 1, 2.0);
  const auto evaluating = [&](double size_of_number) {
    return std::vector<Array>{{"visiting samples", guests * size_of_number * size.share * size.m},
                              {"tiles", size_of_number * size.threads * job.tile_numbers}};
  };
  const auto with = [](std::vector<Array> arrays, const std::vector<Array>& more) {
    arrays.insert(arrays.end(), more.begin(), more.end());
    return arrays;
  };
  const double all_samples = size.n * size.m / 2;  // numbers that a rank receives in one round

  add_reading(plan, job, size.share);
  if (stored) {
    Phase kernel{.name = "kernel matrix", .arrays = with({k, samples, rough_samples, weights}, evaluating(bytes))};
    kernel.sent = bytes * all_samples;
    kernel.messages = size.ranks;
    plan.add(std::move(kernel), {.kernel = pairs * job.entry_cost * (single ? rough : 1)});
  }
  const Array start{"start", number * size.share * static_cast<double>(job.subsample_modes)};
  if (job.subsample > 0) {
    const auto part = static_cast<double>(job.subsample);
    const double share = std::ceil(part / size.ranks);
    const auto modes = static_cast<double>(job.subsample_modes);
    const double vectors = krylov_passes(job.subsample_modes, job.subsample_krylov.block) *
                           static_cast<double>(job.subsample_krylov.block);
    Phase phase{.name = "modes of a subsample"};
    phase.arrays = with({k,
                         samples,
                         rough_samples,
                         weights,
                         start,
                         {"subsample", number * share * size.m},
                         {"half of its K", number * part * part / 2 / size.ranks}},
                        krylov_arrays(size, job.subsample_krylov, modes, share,
                                      number * static_cast<double>(job.subsample_krylov.width)));
    plan.add(std::move(phase), {.dense = 2 * part * part * vectors +
                                         orthogonalisation_cost(job.subsample, job.subsample_krylov.basis, vectors),
                                .kernel = part * (part / 2 + size.n) * job.entry_cost});
  }

  const auto block = static_cast<double>(job.krylov.block);
  const double passes = krylov_passes(job.modes, job.krylov.block) + (!single             ? 0
                                                                      : job.subsample > 0 ? more_warm_passes
                                                                                          : more_rough_passes);
  const double exact = single ? exact_passes : 0;
  const double rough_factor = single ? rough : 1;
  const double moving = std::max(bytes * static_cast<double>(job.krylov.width), number * size.d);
  Phase products{.name = "products with K",
                 .arrays = with({k, samples, rough_samples, weights, start},
                                with(krylov_arrays(size, job.krylov, size.d, size.share, moving),
                                     single ? evaluating(number) : std::vector<Array>{}))};
  products.sent = bytes * size.n * block * passes + number * size.n * size.d * exact + number * all_samples * exact +
                  (stored ? 0 : bytes * all_samples * passes);
  products.messages = 2 * size.ranks * (passes + exact);
  plan.add(std::move(products), {.dense = 2 * size.n * size.n * (block * passes * rough_factor + size.d * exact),
                                 .kernel = pairs * job.entry_cost * (exact + (stored ? 0 : passes * rough_factor)),
                                 .traffic = stored ? bytes * pairs * passes : 0,
                                 .serial = bytes * size.threads * size.n / 2 * block * passes});
  Phase orthogonalising{.name = "orthogonalisation"};
  const auto basis = static_cast<double>(job.krylov.basis);
  orthogonalising.sent = 6 * number * basis * block * passes;
  orthogonalising.messages = 8 * passes * size.hops;
  plan.add(std::move(orthogonalising),
           {.dense = orthogonalisation_cost(job.samples, job.krylov.basis, block * passes)});
}

}  // namespace

double process_bytes(std::int64_t threads) {
  return (28 + 4 * static_cast<double>(threads)) * mebibyte;
}

double Phase::bytes() const {
  return std::accumulate(arrays.begin(), arrays.end(), 0.0, [](double sum, const Array& a) { return sum + a.bytes; });
}

double Estimate::seconds() const {
  return std::accumulate(phases.begin(), phases.end(), 0.0, [](double sum, const Phase& p) { return sum + p.seconds; });
}

double Estimate::seconds(const std::string& phase) const {
  const auto found = std::find_if(phases.begin(), phases.end(), [&](const Phase& p) { return p.name == phase; });
  return found == phases.end() ? 0 : found->seconds;
}

const Phase& Estimate::largest() const {
  return *std::max_element(phases.begin(), phases.end(),
                           [](const Phase& a, const Phase& b) { return a.bytes() < b.bytes(); });
}

double Estimate::peak() const {
  return process_bytes + largest().bytes();
}

Estimate estimate(const Job& job, const Machine& machine) {
  Plan plan(job, machine);
  if (job.method == "krylov") {
    add_krylov(plan, job);
  } else if (job.method == "primal") {
    add_primal(plan, job);
  } else {
    add_direct(plan, job);
  }
  add_embedding(plan, job);
  return plan.result();
}

std::int64_t largest_samples(const std::function<Estimate(std::int64_t)>& of, double memory, std::int64_t step) {
  const auto fits = [&](std::int64_t steps) { return of(steps * step).peak() <= memory; };
  constexpr std::int64_t most = std::int64_t{1} << 30;
  std::int64_t low = 0;
  std::int64_t high = 1;
  while (high < most && fits(high)) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return low * step;
}

}  // namespace stepwise
