#include "solve_config.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>

#include "kernel_config.hpp"
#include "stepwise/core/error.hpp"

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
      choice_option("data.source", "where positive pairs come from", c.data.source,
                    {"synthetic", "cifar10", "mnist", "stl10", "hdf5"}),
      text_option("data.path", "PATH",
                  "directory of CIFAR-10 or STL-10 binary files or MNIST idx files (plain or .gz), or one such file "
                  "of images, or an HDF5 file with view_a and view_b",
                  c.data.path),
      auto_option("data.pairs", "N", "number of positive pairs n; auto: what all images give, 256 synthetic",
                  c.data.pairs, 1, most_samples),
      auto_option("data.test", "N",
                  "number of test samples to embed, of images in one part those after the pairs; auto: all in an hdf5 "
                  "file, else 0",
                  c.data.test, 0, most_samples),
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
