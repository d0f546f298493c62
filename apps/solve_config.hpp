#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "stepwise/cli/options.hpp"
#include "stepwise/data/pairs.hpp"
#include "stepwise/dist/process_grid.hpp"
#include "stepwise/kernel/empirical_ntk.hpp"

namespace stepwise {

/// Every setting of `stepwise solve`, as the user gives it; nullopt stands for "auto" where nothing else is said.
struct SolveConfig {
  struct {
    std::string source = "synthetic";
    std::string path;
    std::optional<std::int64_t> pairs;
    std::optional<std::int64_t> test;
    std::optional<bool> standardize;
    bool multimodal = false;
  } data;
  struct {
    std::optional<std::int64_t> count;
    std::int64_t per_image = 1;
    std::optional<std::int64_t> crop;
    bool flip = false;
    double noise = 0;
  } views;
  struct {
    std::string type = "ntk";
    std::string storage = "double";
    std::int64_t depth = 3;
    std::string network = "auto";
    std::string activation = "relu";
    double slope = 0.01;
    std::string parameterization = "ntk";
    std::int64_t width = 0;
    std::int64_t networks = 1;
    std::int64_t outputs = 1;
    std::string multi_output = "trace";
    double weight_variance = 2;
    double bias_variance = 0;
    std::optional<double> readout_weight_variance;
    std::optional<double> readout_bias_variance;
    double length_scale = 0;
    std::int64_t degree = 3;
    double offset = 1;
    std::int64_t random_features = 0;
    bool normalise = false;
    bool centre = false;
    std::string path;
    std::string test_path;
    std::string pairing = "stacked";
    double symmetry_tolerance = 1e-6;
    double negative_mass = 1e-6;
  } kernel;
  std::map<std::string, std::string> kernel_b;  ///< settings of kernel-b.* that differ from those of kernel.*
  struct {
    std::string method = "auto";
    double tolerance = 1e-10;
    std::optional<std::int64_t> warm_start;
    std::int64_t krylov_block = 0;
    std::string eigensolver = "auto";
    bool check = false;
    std::int64_t block_size = 64;
    std::string grid = "auto";
  } solver;
  struct {
    double alpha = 1e-7;
    std::int64_t points = 400;
    double t_max = 0;
  } dynamics;
  std::string convention = "neural-tangents";
  std::optional<std::int64_t> modes = 10;  // nothing: all gammas, and no modes
  std::int64_t seed = 0;
  std::string output;
  bool force = false;
  struct {
    bool kernel = false;
    bool eigenvectors = false;
  } save;
};

/// The options bound to `config`, which must outlive them.
[[nodiscard]] std::vector<Option> solve_options(SolveConfig& config);

/// The same without kernel-b.*.
[[nodiscard]] std::vector<Option> plain_options(SolveConfig& config);
// Parts of them that other commands have too.
[[nodiscard]] std::vector<Option> output_options(SolveConfig& config);
[[nodiscard]] std::vector<Option> data_options(SolveConfig& config);    ///< [data], [views]
[[nodiscard]] std::vector<Option> kernel_options(SolveConfig& config);  ///< [kernel]: the formula
[[nodiscard]] std::vector<Option> joined(std::vector<std::vector<Option>> lists);

/// Checks what one option alone cannot know, without touching any file. @throws Error(input).
void check_consistency(const SolveConfig& config);

/// Whether --output.kernel and --output.eigenvectors ask for what a method has. @throws Error(input) when not.
void check_saving(const SolveConfig& config, const std::string& method);
/// What the large datasets of the result take.
[[nodiscard]] double saved_bytes(const SolveConfig& config, std::int64_t samples);

/// The kernel that kernel.type names, for samples of this shape; for finite networks that of infinite ones. Replaces
/// every "auto" about it. @throws Error(input).
[[nodiscard]] Kernel make_kernel(SolveConfig& config, const ImageShape& shape);

/// The finite networks of --kernel.type empirical-ntk, given what make_kernel returned.
[[nodiscard]] FiniteNetworks finite_networks(const SolveConfig& config, const Kernel& kernel);

/// The process grid for `ranks` ranks. @throws Error(input) when --solver.grid is not P x Q = ranks.
[[nodiscard]] GridShape grid_shape(const SolveConfig& config, int ranks);

}  // namespace stepwise
