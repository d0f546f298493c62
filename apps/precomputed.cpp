#include "precomputed.hpp"

#include <algorithm>

#include "stepwise/data/matrix_scan.hpp"
#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

/// How many of `available` to use.
std::int64_t choose(const char* option, std::optional<std::int64_t> wanted, const StoredMatrix* matrix,
                    const std::string& where, std::int64_t available) {
  const std::int64_t count = wanted.value_or(available);
  if (count > available) {
    fail(ExitCode::input, "{} asks for {}, but {} has {}: ask for {} or fewer, or auto for all", option, count,
         matrix == nullptr ? where : matrix->name, available, available);
  }
  return count;
}

std::vector<Range> used_rows(const IndexPairs& pairs) {
  const std::int64_t half = pairs.train->rows / 2;
  if (pairs.interleaved || pairs.pairs == half) return {{0, 2 * pairs.pairs}};
  return {{0, pairs.pairs}, {half, half + pairs.pairs}};
}

}  // namespace

void check_precomputed_options(const SolveConfig& c) {
  if (c.kernel.type != "precomputed") {
    if (!c.kernel.path.empty() || !c.kernel.test_path.empty()) {
      fail(ExitCode::input, "--kernel.path and --kernel.test-path are for --kernel.type precomputed, not {}",
           c.kernel.type);
    }
    return;
  }
  if (c.kernel.path.empty()) fail(ExitCode::input, "--kernel.type precomputed needs --kernel.path");
  if (c.data.source != "synthetic" || !c.data.path.empty()) {
    fail(ExitCode::input, "--kernel.type precomputed takes no data: leave --data.source and --data.path out");
  }
  if (c.data.standardize.value_or(false)) {
    fail(ExitCode::input, "--kernel.type precomputed has no data to standardise: leave --data.standardize out");
  }
  if (c.views.crop.value_or(0) != 0 || c.views.flip || c.views.noise != 0 || c.views.per_image != 1) {
    fail(ExitCode::input, "--views.* make views of images; --kernel.type precomputed has none, leave them out");
  }
  if (c.views.count.value_or(2) != 2) {
    fail(ExitCode::input, "--views.count is {}, but --kernel.type precomputed has pairs of two", *c.views.count);
  }
  if (c.data.multimodal) {
    fail(ExitCode::input, "--data.multimodal has a kernel for each modality, not --kernel.type precomputed");
  }
  if (c.kernel.random_features > 0) {
    fail(ExitCode::input, "--kernel.random-features {} stand for rbf and nngp kernels, not for precomputed",
         c.kernel.random_features);
  }
}

IndexPairs open_index_pairs(SolveConfig& c) {
  IndexPairs pairs;
  pairs.train = std::make_shared<const StoredMatrix>(open_kernel_matrix(c.kernel.path));
  if (c.data.test.value_or(c.modes ? 1 : 0) > 0) {
    if (auto test = open_test_kernel(c.kernel.path, c.kernel.test_path, pairs.train->rows)) {
      pairs.test = std::make_shared<const StoredMatrix>(std::move(*test));
    }
  }
  const std::string no_tests = c.kernel.path + " (without a test kernel, --kernel.test-path)";
  pairs.pairs = choose("--data.pairs", c.data.pairs, pairs.train.get(), "", pairs.train->rows / 2);
  const std::int64_t tests = pairs.test == nullptr ? 0 : pairs.test->rows;
  pairs.tests = c.modes || c.data.test ? choose("--data.test", c.data.test, pairs.test.get(), no_tests, tests) : 0;
  if (c.kernel.normalise && pairs.tests > 0) {
    fail(ExitCode::input,
         "--kernel.normalise needs k(x, x) of the test samples, which {} does not hold: give --data.test 0, or "
         "normalise "
         "before storing",
         pairs.test->name);
  }
  pairs.interleaved = c.kernel.pairing == "interleaved";
  c.data.pairs = pairs.pairs;
  c.data.test = pairs.tests;
  c.data.standardize = false;
  c.views.crop = 0;
  return pairs;
}

PrecomputedKernel stored_kernel(const IndexPairs& pairs) {
  return {pairs.train, pairs.test};
}

double check_stored_kernel(const Communicator& comm, const SolveConfig& config, const IndexPairs& pairs) {
  const StoredMatrix& matrix = *pairs.train;
  const std::vector<Range> used = used_rows(pairs);
  const MatrixScan scan = attempt(comm, [&] {
    if (pairs.tests > 0) require_finite(*pairs.test, {0, pairs.tests}, used, comm.rank(), comm.size());
    return scan_kernel(matrix, used, comm.rank(), comm.size());
  });
  const double largest = max(comm, scan.largest);
  const double worst = max(comm, scan.asymmetry);
  const double allowed = config.kernel.symmetry_tolerance * largest;
  attempt(comm, [&] {
    if (scan.asymmetry <= allowed || scan.asymmetry < worst) return;
    fail(ExitCode::input,
         "{}: is not symmetric: entry ({}, {}) is {}, ({}, {}) is {} (counted from 0), a difference of {:.3g} where "
         "--kernel.symmetry-tolerance allows {:.3g}, {} of the largest entry; store (K + K.T) / 2 if they should be "
         "equal",
         matrix.name, scan.row, scan.col, scan.above, scan.col, scan.row, scan.below, scan.asymmetry, allowed,
         config.kernel.symmetry_tolerance);
  });
  return sum(comm, scan.trace);
}

void make_ready(const Communicator& comm, const SolveConfig& config, PairSource& pairs, Problem& problem,
                Report& report) {
  if (*config.data.standardize) {
    report.stage("standardise", 0, [&](const auto&) { standardise_pairs(comm, pairs); });
  }
  const auto* rows = std::get_if<IndexPairs>(&pairs);
  if (rows == nullptr) return;
  problem.stored_trace =
      report.stage("check the stored kernel", 0, [&](const auto&) { return check_stored_kernel(comm, config, *rows); });
  report.moved(static_cast<double>(rows->train->rows * rows->train->cols * (rows->train->single ? 4 : 8)));
  if (config.kernel.normalise) problem.stored_trace = static_cast<double>(problem.samples);
}

}  // namespace stepwise
