#include <algorithm>

#include "kernel_config.hpp"
#include "precomputed.hpp"
#include "solve_config.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {

void check_consistency(const SolveConfig& c) {
  if (c.output.empty()) fail(ExitCode::input, "--output is missing: name the result file, for example --output out.h5");
  if (c.data.source != "synthetic" && c.data.path.empty()) {
    fail(ExitCode::input, "--data.source {} needs --data.path", c.data.source);
  }
  if (c.data.source == "synthetic" && !c.data.path.empty()) {
    fail(ExitCode::input, "--data.path {} is given, but --data.source is synthetic: choose what the data are",
         c.data.path);
  }
  check_precomputed_options(c);
  if (c.data.source == "hdf5" &&
      (c.views.crop.value_or(0) != 0 || c.views.flip || c.views.noise != 0 || c.views.per_image != 1)) {
    fail(ExitCode::input, "--views.* make views of images; --data.source hdf5 brings its own views, leave them out");
  }
  if (c.kernel.storage != "double" && c.solver.method != "auto" && c.solver.method != "krylov") {
    fail(ExitCode::input, "--kernel.storage {} leaves no matrix to factor for --solver.method {}: choose krylov",
         c.kernel.storage, c.solver.method);
  }
  check_saving(c, c.kernel.storage != "double" ? "krylov" : c.solver.method);
  if (c.data.multimodal && c.data.source != "hdf5") {
    fail(ExitCode::input, "--data.multimodal needs two kinds of data in a file: --data.source hdf5, not {}",
         c.data.source);
  }
  if (c.data.multimodal && c.views.count.value_or(2) != 2) {
    fail(ExitCode::input,
         "--views.count is {}, but --data.multimodal is for one view of each of two modalities: leave it out",
         *c.views.count);
  }
  if (!c.data.multimodal && !c.kernel_b.empty()) {
    fail(ExitCode::input, "--kernel-b.{} is for view_b of --data.multimodal, which is not given: leave it out",
         c.kernel_b.begin()->first);
  }
  if (c.kernel.random_features > 0 && !is_plain_kernel(c)) {
    fail(ExitCode::input,
         "--kernel.random-features {} stand for rbf and nngp alone, not for formulas, --kernel.normalise or "
         "--data.multimodal: leave it out",
         c.kernel.random_features);
  }
  if (c.solver.method == "primal" && !(c.kernel.type == "linear" && is_plain_kernel(c)) &&
      c.kernel.random_features == 0) {
    fail(ExitCode::input,
         "--solver.method primal needs explicit features, which --kernel.type {} has not: choose linear, or "
         "--kernel.random-features for rbf and nngp",
         c.kernel.type);
  }
  const bool direct = c.solver.method != "auto" && c.solver.method != "krylov";
  if (direct && !c.solver.check && (c.solver.warm_start.value_or(0) > 0 || c.solver.krylov_block > 0)) {
    fail(ExitCode::input,
         "--solver.warm-start and --solver.krylov-block are for krylov, not for --solver.method {}: leave "
         "them out",
         c.solver.method);
  }
  if (c.solver.method == "krylov" && !c.solver.check && c.solver.eigensolver != "auto") {
    fail(ExitCode::input,
         "--solver.eigensolver {} is for matrices, which --solver.method krylov has none of: leave it out",
         c.solver.eigensolver);
  }
  if (!c.modes && (c.solver.method == "krylov" || c.kernel.storage != "double")) {
    fail(ExitCode::input,
         "--modes all is the whole spectrum, which --solver.method krylov does not find: choose cholesky, spectral or "
         "primal, and --kernel.storage double");
  }
  if (!c.modes && c.data.test.value_or(0) > 0) {
    fail(ExitCode::input, "--modes all finds no modes to embed --data.test {} samples with: leave it out",
         *c.data.test);
  }
  if (!c.modes && c.solver.check) {
    fail(ExitCode::input, "--solver.check compares modes, and --modes all finds none: give their number");
  }
  const bool finite = c.kernel.type == "empirical-ntk";
  const bool network = uses_network(c);
  if (!network && c.kernel.network != "auto") {
    fail(ExitCode::input, "--kernel.network is given, but --kernel.type is {}: choose nngp, ntk or empirical-ntk",
         c.kernel.type);
  }
  if (!network && c.convention != "neural-tangents") {
    fail(ExitCode::input,
         "--convention {} is about networks, but --kernel.type is {}: choose nngp, ntk or empirical-ntk", c.convention,
         c.kernel.type);
  }
  const bool standard = c.kernel.parameterization == "standard";
  if ((finite || standard) && c.kernel.width == 0) {
    fail(ExitCode::input, "--kernel.{} needs --kernel.width, that of hidden layers, at least 1",
         finite ? "type empirical-ntk" : "parameterization standard");
  }
  if (standard && !network) {
    fail(ExitCode::input, "--kernel.parameterization standard is of networks, but --kernel.type is {}: leave it out",
         c.kernel.type);
  }
  if (!finite && !standard && c.kernel.width > 0) {
    fail(ExitCode::input,
         "--kernel.width {} is for --kernel.type empirical-ntk or --kernel.parameterization standard: an infinite "
         "network has none, leave it out",
         c.kernel.width);
  }
  if (!finite && (c.kernel.networks != 1 || c.kernel.outputs != 1 || c.kernel.multi_output != "trace")) {
    fail(ExitCode::input,
         "--kernel.networks, --kernel.outputs and --kernel.multi-output are for --kernel.type empirical-ntk, not {}: "
         "leave them out",
         c.kernel.type);
  }
  if (finite && c.kernel.random_features > 0) {
    fail(ExitCode::input,
         "--kernel.random-features {} stand for rbf and nngp kernels, not for empirical-ntk: leave it out",
         c.kernel.random_features);
  }
  if (c.kernel.parameterization == "standard" && c.convention != "neural-tangents") {
    fail(ExitCode::input, "--convention {} has a parameterization of its own: leave --kernel.parameterization out",
         c.convention);
  }
  if (c.solver.block_size % 2 != 0) {
    fail(ExitCode::input, "--solver.block-size is {}, must be even: the two views of a pair stay in one block",
         c.solver.block_size);
  }
}

void check_saving(const SolveConfig& c, const std::string& method) {
  if (method != "krylov" && method != "primal") return;
  if (c.save.kernel) {
    fail(ExitCode::input,
         "--output.kernel saves the kernel matrix, which --solver.method {} does not hold: choose cholesky or "
         "spectral, or make a file of it with stepwise kernel",
         method);
  }
  if (c.save.eigenvectors) {
    fail(ExitCode::input,
         "--output.eigenvectors saves the dual vectors of every gamma, which --solver.method {} does not find: choose "
         "cholesky or spectral",
         method);
  }
}

double saved_bytes(const SolveConfig& c, std::int64_t samples) {
  const auto n = static_cast<double>(samples);
  const double matrices = (c.save.kernel ? n : 0) + (c.save.eigenvectors ? n : 0);
  return 8 * n * (matrices + 2 * static_cast<double>(c.modes.value_or(0)));  // dual, train
}

}  // namespace stepwise
