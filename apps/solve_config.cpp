#include "solve_config.hpp"

#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>

#include "precomputed.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/theory/pairing.hpp"

namespace stepwise {

namespace {

constexpr std::int64_t any = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t most_samples = std::int64_t{1} << 46;
constexpr double unbounded = std::numeric_limits<double>::infinity();

}  // namespace

std::vector<Option> output_options(SolveConfig& c) {
  return {
      integer_option("seed", "N", "everything random is a function of this and of the sample's number", c.seed, 0, any),
      text_option("output", "FILE", "the HDF5 result file", c.output),
      flag_option("force", "replace an existing result file", c.force),
  };
}

std::vector<Option> data_options(SolveConfig& c) {
  return {
      choice_option("data.source", "where positive pairs come from", c.data.source, {"synthetic", "cifar10", "hdf5"}),
      text_option("data.path", "PATH", "directory of CIFAR-10 binary batches, or an HDF5 file with view_a and view_b",
                  c.data.path),
      auto_option("data.pairs", "N", "number of positive pairs n; auto: what all images give, 256 synthetic",
                  c.data.pairs, 1, most_samples),
      auto_option("data.test", "N", "number of test samples to embed; auto: all in an hdf5 file, else 0", c.data.test,
                  0, most_samples),
      auto_flag_option("data.standardize", "subtract mean, divide by deviation, per channel; auto: images only",
                       c.data.standardize),

      integer_option("views.per-image", "R", "positive pairs made from every image, each of two new views",
                     c.views.per_image, 1, 1'000'000),
      auto_option("views.crop", "PIXELS", "side of the random square crops, 0 for none; auto: 20 for images",
                  c.views.crop, 0, 1'000'000),
      flag_option("views.flip", "mirror a view left-right with probability 1/2", c.views.flip),
      real_option("views.noise", "SIGMA", "deviation of Gaussian noise, after standardisation", c.views.noise, 0,
                  unbounded),
  };
}

std::vector<Option> kernel_options(SolveConfig& c) {
  return {
      choice_option("kernel.type", "the kernel", c.kernel.type,
                    {"linear", "polynomial", "rbf", "laplace", "nngp", "ntk", "precomputed"}),
      integer_option("kernel.depth", "L", "hidden layers of the network (nngp, ntk)", c.kernel.depth, 0, 10'000),
      choice_option("kernel.activation", "activation of the network (nngp, ntk)", c.kernel.activation,
                    {"relu", "leaky-relu", "abs"}),
      real_option("kernel.slope", "A", "slope of leaky-relu below zero", c.kernel.slope, -unbounded, unbounded),
      real_option("kernel.weight-variance", "V", "weight variance of every layer (nngp, ntk)", c.kernel.weight_variance,
                  0, unbounded),
      real_option("kernel.bias-variance", "V", "bias variance of every layer (nngp, ntk)", c.kernel.bias_variance, 0,
                  unbounded),
      auto_option("kernel.readout-weight-variance", "V", "the same of the readout layer; auto: as the others",
                  c.kernel.readout_weight_variance, 0, unbounded),
      auto_option("kernel.readout-bias-variance", "V", "the same of the readout layer; auto: as the others",
                  c.kernel.readout_bias_variance, 0, unbounded),
      real_option("kernel.length-scale", "L", "l of rbf exp(-r^2/(2 l^2)), laplace exp(-r/l); 0: sqrt(features)",
                  c.kernel.length_scale, 0, unbounded),
      integer_option("kernel.degree", "P", "p of polynomial (x.y/m + c)^p", c.kernel.degree, 1, 100),
      real_option("kernel.offset", "C", "c of polynomial (x.y/m + c)^p", c.kernel.offset, 0, unbounded),
      integer_option("kernel.random-features", "F",
                     "rbf, nngp: F explicit random features in place of the kernel; 0: none", c.kernel.random_features,
                     0, 1'000'000),
  };
}

namespace {

std::vector<Option> method_options(SolveConfig& c) {
  return {
      text_option("kernel.path", "PATH",
                  "precomputed: HDF5 file (FILE or FILE:/dataset), .npy file or directory of tiles", c.kernel.path),
      text_option("kernel.test-path", "PATH", "the same of test by training samples, if not beside the matrix",
                  c.kernel.test_path),
      choice_option("kernel.pairing", "precomputed: rows of pair i are i and n + i (stacked) or 2i and 2i + 1",
                    c.kernel.pairing, {"stacked", "interleaved"}),
      real_option("kernel.symmetry-tolerance", "E", "precomputed: largest |K_ij - K_ji| / max |K|",
                  c.kernel.symmetry_tolerance, 0, 1),
      real_option("kernel.negative-mass", "E", "precomputed: largest sum |negative eigenvalues| / sum |eigenvalues|",
                  c.kernel.negative_mass, 0, 1),
      choice_option("kernel.storage",
                    "what is kept of the kernel matrix: double, single, or none: evaluated for each product",
                    c.kernel.storage, {"double", "single", "none"}),

      choice_option(
          "solver.method",
          "krylov: products with K; cholesky, spectral: all of gamma; primal: the same from explicit features "
          "(linear, random-features); auto: the cheapest, all of gamma up to 2000 samples",
          c.solver.method, {"auto", "krylov", "cholesky", "spectral", "primal"}),
      flag_option("solver.check", "solve by a second method as well, and report the differences", c.solver.check),
      choice_option("solver.eigensolver", "cholesky, spectral, primal: one- or two-stage ELPA, or ScaLAPACK",
                    c.solver.eigensolver, {"auto", "elpa1", "elpa2", "scalapack"}),
      real_option("solver.tolerance", "E", "krylov: largest residual ||T a - gamma a||_K / gamma_1", c.solver.tolerance,
                  1e-13, 1e-2),
      auto_option(
          "solver.warm-start", "N",
          "krylov: begin with the modes of N of the pairs, 0: at random; auto: a tenth, at most 4000, if storage "
          "is none",
          c.solver.warm_start, 0, most_samples),
      integer_option("solver.krylov-block", "B", "krylov: vectors multiplied by K at once; 0: by modes and storage",
                     c.solver.krylov_block, 0, 4096),
      integer_option("solver.block-size", "NB", "block size of the distribution, even; made smaller for few samples",
                     c.solver.block_size, 2, 4096),
      text_option("solver.grid", "PxQ", "process grid; auto: as square as the number of ranks allows", c.solver.grid),

      real_option("dynamics.alpha", "A", "deviation of the small initial weights", c.dynamics.alpha, 1e-150, 1e150),
      integer_option("dynamics.points", "N", "points of the time grid: 0, then logarithmic", c.dynamics.points, 2,
                     10'000'000),
      real_option("dynamics.t-max", "T",
                  "end of the time grid, learning rate x steps; 0: three times the last timescale", c.dynamics.t_max, 0,
                  1e100),
  };
}

}  // namespace

std::vector<Option> joined(std::vector<std::vector<Option>> lists) {
  std::vector<Option> all;
  for (auto& list : lists) std::move(list.begin(), list.end(), std::back_inserter(all));
  return all;
}

std::vector<Option> solve_options(SolveConfig& c) {
  return joined({{auto_option("modes", "D|all",
                              "number of modes (embedding dimensions) to find; all: every gamma, and nothing else",
                              c.modes, 1, any, "all")},
                 output_options(c),
                 data_options(c),
                 kernel_options(c),
                 method_options(c)});
}

void check_consistency(const SolveConfig& c) {
  if (c.output.empty()) fail(ExitCode::input, "--output is missing: name the result file, for example --output out.h5");
  if (c.data.source != "synthetic" && c.data.path.empty()) {
    fail(ExitCode::input, "--data.source {} needs --data.path", c.data.source);
  }
  if (c.data.source == "synthetic" && !c.data.path.empty()) {
    fail(ExitCode::input, "--data.path {} is given, but --data.source is synthetic: choose cifar10 or hdf5",
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
  if (c.solver.method == "primal" && c.kernel.type != "linear" && c.kernel.random_features == 0) {
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
  if (c.solver.block_size % views_per_pair != 0) {
    fail(ExitCode::input, "--solver.block-size is {}, must be even: the two views of a pair stay in one block",
         c.solver.block_size);
  }
}

PairSource open_pairs(SolveConfig& c) {
  if (c.kernel.type == "precomputed") return open_index_pairs(c);
  if (c.data.source == "hdf5") {
    ArrayPairs arrays =
        open_array_pairs(c.data.path, c.data.pairs.value_or(-1), c.data.test.value_or(c.modes ? -1 : 0));
    c.data.pairs = arrays.pairs;
    c.data.test = arrays.tests;
    c.data.standardize = c.data.standardize.value_or(false);
    c.views.crop = 0;
    return arrays;
  }
  c.data.test = c.data.test.value_or(0);
  c.data.standardize = c.data.standardize.value_or(true);
  c.views.crop = c.views.crop.value_or(20);
  ImagePairs images;
  images.views = {*c.views.crop, c.views.flip, c.views.noise};
  images.seed = static_cast<std::uint64_t>(c.seed);
  images.per_image = c.views.per_image;
  if (c.data.source == "cifar10") {
    if (!c.data.pairs) c.data.pairs = images.per_image * count_cifar10(c.data.path, Cifar10Part::train);
    images.pairs = *c.data.pairs;
    images.train = read_cifar10(c.data.path, Cifar10Part::train, image_count(images));
    if (*c.data.test > 0) {
      images.test = read_cifar10(c.data.path, Cifar10Part::test, *c.data.test);
    }
  } else {
    c.data.pairs = c.data.pairs.value_or(256);
    images.train = DeadLeaves{.seed = images.seed, .first = 0};
    images.test = DeadLeaves{.seed = images.seed, .first = std::int64_t{1} << 47};
  }
  images.pairs = *c.data.pairs;
  images.tests = *c.data.test;
  (void)view_shape(shape(images.train), images.views);  // refuses a crop that does not fit
  return images;
}

Kernel make_kernel(SolveConfig& c, std::int64_t features) {
  if (c.kernel.length_scale == 0) c.kernel.length_scale = std::sqrt(static_cast<double>(features));
  c.kernel.readout_weight_variance = c.kernel.readout_weight_variance.value_or(c.kernel.weight_variance);
  c.kernel.readout_bias_variance = c.kernel.readout_bias_variance.value_or(c.kernel.bias_variance);
  Kernel kernel = LinearKernel{};
  if (c.kernel.type == "polynomial") kernel = PolynomialKernel{c.kernel.degree, c.kernel.offset};
  if (c.kernel.type == "rbf") kernel = RbfKernel{c.kernel.length_scale};
  if (c.kernel.type == "laplace") kernel = LaplaceKernel{c.kernel.length_scale};
  if (c.kernel.type == "nngp" || c.kernel.type == "ntk") {
    ReluNetwork network{c.kernel.type == "ntk" ? NetworkKernel::ntk : NetworkKernel::nngp, {}};
    if (c.kernel.activation == "leaky-relu") network.negative_slope = c.kernel.slope;
    if (c.kernel.activation == "abs") network.negative_slope = -1;
    network.layers.assign(static_cast<std::size_t>(c.kernel.depth), {c.kernel.weight_variance, c.kernel.bias_variance});
    network.layers.push_back({*c.kernel.readout_weight_variance, *c.kernel.readout_bias_variance});
    kernel = network;
  }
  validate(kernel);
  return kernel;
}

GridShape grid_shape(const SolveConfig& c, int ranks) {
  GridShape shape = nearly_square(ranks);
  if (c.solver.grid != "auto") {
    const std::string& text = c.solver.grid;
    const auto x = text.find('x');
    const auto whole = [](const std::string& digits, int& number) {
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      return error == std::errc() && end == digits.data() + digits.size() && number >= 1;
    };
    if (x == std::string::npos || !whole(text.substr(0, x), shape.rows) || !whole(text.substr(x + 1), shape.cols) ||
        shape.rows > ranks || shape.cols > ranks || shape.rows * shape.cols != ranks) {
      fail(ExitCode::input, "--solver.grid is '{}', must be PxQ with P times Q the number of ranks, {}", text, ranks);
    }
  }
  return shape;
}

}  // namespace stepwise
