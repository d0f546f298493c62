#include "solve_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>

#include "kernel_config.hpp"
#include "kernel_formula.hpp"
#include "precomputed.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/kernel/network_text.hpp"

namespace stepwise {

namespace {

constexpr std::int64_t any = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t most_views = 1000;
constexpr std::int64_t most_samples = std::int64_t{1} << 46;
constexpr double unbounded = std::numeric_limits<double>::infinity();

}  // namespace

std::vector<Option> output_options(SolveConfig& c) {
  return {
      choice_option("convention", "whose numbers the kernel of a ReLU network shall equal (docs/kernels.md)",
                    c.convention, {"neural-tangents", "cntk", "cntk-fixed", "uci", "scikit-ntk"}),
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
      flag_option("data.multimodal", "hdf5: view_a and view_b are of two kinds, with kernels of their own (kernel-b.*)",
                  c.data.multimodal),

      auto_option("views.count", "V", "views of every sample; auto: 2, or view_a, view_b, view_c, ... of an hdf5 file",
                  c.views.count, 2, most_views),
      integer_option("views.per-image", "R", "positive pairs made from every image, each of new views",
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
      kernel_type_option(c.kernel.type),
      flag_option("kernel.centre", "subtract the mean of the features over the training samples, of each modality",
                  c.kernel.centre),
      flag_option("kernel.normalise", "k(x, y) / sqrt(k(x, x) k(y, y)) in place of k", c.kernel.normalise),
      integer_option("kernel.depth", "L", "hidden layers of the network (networks)", c.kernel.depth, 0, 10'000),
      text_option("kernel.network", "LAYERS",
                  "layers such as 'conv 3, relu, avgpool 2, conv 3 w=1.5 b=0.1, relu, gap, dense', or fc-L, cnn-L, "
                  "cnn-gap-L, myrtle5, myrtle7, myrtle10; auto: fc-L with the depth",
                  c.kernel.network),
      text_option(
          "kernel.activation", "PHI",
          "activation where kernel.network names none: relu, leaky-relu, abs, erf, gelu, sin, rbf [GAMMA], sign, "
          "arccos ORDER, tanh, sigmoid, softplus, silu",
          c.kernel.activation),
      real_option("kernel.slope", "A", "slope of leaky-relu below zero", c.kernel.slope, -unbounded, unbounded),
      real_option("kernel.weight-variance", "V", "weight variance of every layer (networks)", c.kernel.weight_variance,
                  0, unbounded),
      real_option("kernel.bias-variance", "V", "bias variance of every layer (networks)", c.kernel.bias_variance, 0,
                  unbounded),
      auto_option("kernel.readout-weight-variance", "V", "the same of the readout layer; auto: as the others",
                  c.kernel.readout_weight_variance, 0, unbounded),
      auto_option("kernel.readout-bias-variance", "V", "the same of the readout layer; auto: as the others",
                  c.kernel.readout_bias_variance, 0, unbounded),
      real_option("kernel.length-scale", "L", "l of rbf exp(-r^2/(2 l^2)), laplace exp(-r/l); 0: sqrt(features)",
                  c.kernel.length_scale, 0, unbounded),
      choice_option("kernel.parameterization", "what the NTK differentiates by (docs/kernels.md)",
                    c.kernel.parameterization, {"ntk", "standard"}),
      integer_option(
          "kernel.width", "W",
          "width of hidden layers: of finite networks (empirical-ntk), or what the standard parameterization counts",
          c.kernel.width, 0, std::int64_t{1} << 40),
      integer_option("kernel.networks", "S", "empirical-ntk: mean over so many networks", c.kernel.networks, 1,
                     most_networks),
      integer_option("kernel.outputs", "K", "empirical-ntk: outputs of each network", c.kernel.outputs, 1, most_width),
      choice_option("kernel.multi-output",
                    "empirical-ntk: mean of the outputs' kernels, or that of sum_k f_k / sqrt(K)",
                    c.kernel.multi_output, {"trace", "scalar"}),
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
      integer_option("solver.block-size", "NB",
                     "block size of the distribution, even; made smaller for few samples, a multiple of the views",
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

namespace {

std::vector<Option> saving_options(SolveConfig& c) {
  return {
      flag_option("output.kernel", "cholesky, spectral: save the kernel matrix, 8 N^2 bytes", c.save.kernel),
      flag_option("output.eigenvectors", "cholesky, spectral: save the dual vectors of every gamma, 8 N^2 bytes",
                  c.save.eigenvectors),
  };
}

}  // namespace

std::vector<Option> plain_options(SolveConfig& c) {
  return joined({{auto_option("modes", "D|all",
                              "number of modes (embedding dimensions) to find; all: every gamma, and nothing else",
                              c.modes, 1, any, "all")},
                 output_options(c),
                 saving_options(c),
                 data_options(c),
                 kernel_options(c),
                 method_options(c)});
}

std::vector<Option> solve_options(SolveConfig& c) {
  std::vector<Option> options = plain_options(c);
  std::vector<Option> twins = second_kernel_options(c);
  const auto end_of_kernel =
      std::find_if(options.begin(), options.end(), [](const Option& o) { return o.name.starts_with("solver."); });
  options.insert(end_of_kernel, std::make_move_iterator(twins.begin()), std::make_move_iterator(twins.end()));
  return options;
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

PairSource open_pairs(SolveConfig& c) {
  if (c.kernel.type == "precomputed") return open_index_pairs(c);
  if (c.data.multimodal) {
    MultimodalPairs both =
        open_multimodal_pairs(c.data.path, c.data.pairs.value_or(-1), c.data.test.value_or(c.modes ? -1 : 0));
    c.data.pairs = both.pairs;
    c.data.test = std::max(both.tests[0], both.tests[1]);
    c.data.standardize = c.data.standardize.value_or(false);
    c.views.count = 2;
    c.views.crop = 0;
    return both;
  }
  if (c.data.source == "hdf5") {
    ArrayPairs arrays = open_array_pairs(c.data.path, c.data.pairs.value_or(-1), c.data.test.value_or(c.modes ? -1 : 0),
                                         c.views.count.value_or(-1));
    c.views.count = arrays.views;
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
  c.views.count = c.views.count.value_or(2);
  images.view_count = *c.views.count;
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

namespace {

Network make_network(const SolveConfig& c, const ImageShape& shape) {
  NetworkDefaults defaults{.hidden = {c.kernel.weight_variance, c.kernel.bias_variance},
                           .readout = {*c.kernel.readout_weight_variance, *c.kernel.readout_bias_variance}};
  try {
    defaults.activation = parse_activation(c.kernel.activation);
  } catch (const Error& error) {
    fail(ExitCode::input, "--kernel.activation {}", error.what());
  }
  if (c.kernel.activation == "leaky-relu") defaults.activation = Rectifier{c.kernel.slope};
  Network network{c.kernel.type == "nngp" ? NetworkKernel::nngp : NetworkKernel::ntk, {}, shape};
  try {
    network.layers = parse_layers(c.kernel.network, defaults);
  } catch (const Error& error) {
    fail(ExitCode::input, "--kernel.network: {}", error.what());
  }
  validate(network);
  if (c.kernel.parameterization == "standard") {
    use_standard_parameterisation(network, c.kernel.width, shape.size());
  }
  constexpr std::array conventions{std::pair("neural-tangents", Convention::neural_tangents),
                                   std::pair("cntk", Convention::cntk), std::pair("cntk-fixed", Convention::cntk_fixed),
                                   std::pair("uci", Convention::uci), std::pair("scikit-ntk", Convention::scikit_ntk)};
  for (const auto& [name, convention] : conventions) {
    if (c.convention == name) use_convention(network, convention, shape.size());
  }
  return network;
}

}  // namespace

Kernel make_kernel(SolveConfig& c, const ImageShape& shape) {
  if (c.kernel.length_scale == 0) c.kernel.length_scale = std::sqrt(static_cast<double>(shape.size()));
  c.kernel.readout_weight_variance = c.kernel.readout_weight_variance.value_or(c.kernel.weight_variance);
  c.kernel.readout_bias_variance = c.kernel.readout_bias_variance.value_or(c.kernel.bias_variance);
  const bool network = is_network_name(c.kernel.type);
  if (network && c.kernel.network == "auto") c.kernel.network = fmt::format("fc-{}", c.kernel.depth);
  Kernel kernel = LinearKernel{};
  if (c.kernel.type == "polynomial") kernel = PolynomialKernel{c.kernel.degree, c.kernel.offset};
  if (c.kernel.type == "rbf") kernel = RbfKernel{c.kernel.length_scale};
  if (c.kernel.type == "laplace") kernel = LaplaceKernel{c.kernel.length_scale};
  if (network) kernel = make_network(c, shape);
  validate(kernel);
  return kernel;
}

FiniteNetworks finite_networks(const SolveConfig& c, const Kernel& kernel) {
  return {std::get<Network>(kernel), c.kernel.width, c.kernel.networks, c.kernel.outputs,
          c.kernel.multi_output == "trace" ? MultiOutput::trace : MultiOutput::scalar};
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
