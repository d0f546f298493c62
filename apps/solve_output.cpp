#include "solve_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "run_attributes.hpp"
#include "stepwise/cli/options.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/io/result_file.hpp"

namespace stepwise {
namespace {

constexpr const char* kernel_units = "units of k";
constexpr const char* time_units = "learning rate x steps / units of k";

std::vector<std::int64_t> numbers_from(std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

Attributes root_attributes(const ResultOrigin& origin, const SolveResult& result) {
  Attributes attributes = run_attributes(
      origin.comm, {"stepwise-result", origin.command, config_text(solve_options(origin.config)), origin.config.seed});
  attributes.insert(attributes.end(),
                    {{"process_grid", fmt::format("{}x{}", origin.grid.shape().rows, origin.grid.shape().cols)},
                     {"block_size", origin.block},
                     {"solver_method", result.method},
                     {"eigensolver", solver_name(result.modes)},
                     {"kernel_convention", origin.kernel_convention},
                     {"sign_convention", "in every mode the training sample with the largest |f_j| is positive"}});
  if (!origin.inputs_checksum.empty()) attributes.emplace_back("inputs_checksum", origin.inputs_checksum);
  return attributes;
}

void write_scales(ResultFile& file, const ResultOrigin& origin, const SolveResult& result) {
  const std::int64_t n = pair_count(origin.pairs);
  const std::int64_t views = view_count(origin.pairs);
  const auto scale = [&](const std::string& name, const std::string& description, std::int64_t first,
                         std::int64_t count) {
    file.write_scale({"/" + name, "1", description, {}}, name, numbers_from(first, count));
  };
  scale("eigenvalue", "number of an eigenvalue, descending", 1, static_cast<std::int64_t>(result.modes.gamma.size()));
  scale("pair", "number of a positive pair", 0, n);
  const bool modes = result.modes.dual.width > 0;
  if (modes || result.modes.kernel || result.modes.all_dual) {
    scale("sample", "number of a sample in the combined data set: i is view 0 of pair i, n + i is view 1, and so on", 0,
          views * n);
  }
  if (!modes) return;
  scale("mode", "number of a mode, by descending gamma", 1, result.modes.dual.width);
  scale("view", "view of a pair: 0 is x, 1 is x', and so on", 0, views);
  for (const auto& [name, embedded] : result.tests) {
    scale(name + "_sample", "number of a sample in " + name, 0, embedded.samples);
  }
}

void write_data(ResultFile& file, const ResultOrigin& origin) {
  if (std::holds_alternative<IndexPairs>(origin.pairs)) return;  // there are no data
  const auto [train, test] =
      attempt(origin.comm, [&] { return std::pair(train_labels(origin.pairs), test_labels(origin.pairs)); });
  if (!train.empty()) {
    file.write({"/data/labels", "1", "class label of each pair", {"/pair"}}, {train.size()}, train);
  }
  if (!test.empty()) {
    file.write({"/data/test_labels", "1", "class label of each test sample", {"/test_sample"}}, {test.size()}, test);
  }
  const auto standardisation = std::visit([](const auto& source) { return source.standardisation; }, origin.pairs);
  file.write_names({"/data/axis", "1", "axis of a sample", {}}, "axis", {"channels", "height", "width"});
  const auto write_shape = [&](const std::string& name, const ImageShape& shape, const std::string& whose) {
    file.write({"/data/" + name, "1", "channels, height and width of a sample " + whose, {"/data/axis"}}, {3},
               std::vector<std::int64_t>{shape.channels, shape.height, shape.width});
  };
  if (const auto* both = std::get_if<MultimodalPairs>(&origin.pairs)) {
    write_shape("sample_shape_a", both->shapes[0], "in view_a");
    write_shape("sample_shape_b", both->shapes[1], "in view_b");
  } else {
    write_shape("sample_shape", sample_shape(origin.pairs), "as the kernel sees it");
  }
  if (standardisation.mean.empty()) return;
  file.write_scale({"/data/channel", "1", "number of a channel", {}}, "channel",
                   numbers_from(0, static_cast<std::int64_t>(standardisation.mean.size())));
  const std::vector<hsize_t> channels{standardisation.mean.size()};
  file.write({"/data/channel_mean", "input units", "mean that was subtracted from each channel", {"/data/channel"}},
             channels, standardisation.mean);
  file.write(
      {"/data/channel_deviation", "input units", "deviation that each channel was divided by", {"/data/channel"}},
      channels, standardisation.deviation);
}

void write_spectrum(ResultFile& file, const SolveResult& result) {
  file.write({"/spectrum/gamma",
              kernel_units,
              "eigenvalues of the contrastive kernel K_Gamma, descending: all N by a direct method, else the modes",
              {"/eigenvalue"}},
             {result.modes.gamma.size()}, result.modes.gamma);
  const auto* direct = std::get_if<DirectReport>(&result.modes.report);
  if (direct == nullptr) return;
  const std::int64_t negative = direct->rank - direct->positive;
  file.write_scale({"/spectrum/sign", "1", "sign of gamma, 0 standing for magnitudes below the noise floor", {}},
                   "sign", std::vector<std::int64_t>{-1, 0, 1});
  file.write({"/spectrum/sign_count", "1", "how many of the N gammas have this sign", {"/spectrum/sign"}}, {3},
             std::vector<std::int64_t>{negative, std::ssize(result.modes.gamma) - direct->rank, direct->positive});
  if (!direct->kernel_eigenvalues.empty()) {
    file.write({"/spectrum/kernel_eigenvalues",
                kernel_units,
                "all eigenvalues of the kernel matrix K, descending",
                {"/eigenvalue"}},
               {direct->kernel_eigenvalues.size()}, direct->kernel_eigenvalues);
  }
}

/// Everything that belongs to the leading modes.
void write_modes(ResultFile& file, const SolveResult& result) {
  file.write_stacked_views({"/modes/dual",
                            "1 / sqrt(units of k)",
                            "dual vectors a_j: f_j(x) = gamma_j^{-1/2} sum_i a_ij k(x_i, x), with a_j^T K a_j = 1",
                            {"/sample", "/mode"}},
                           result.embedding.dual, result.embedding.pairing.views);

  const std::vector<hsize_t> modes{result.tau.size()};
  const auto& offsets = result.embedding.offsets;
  for (std::size_t kind = 0; kind < offsets.size(); ++kind) {
    const std::string suffix = offsets.size() == 1 ? "" : kind == 0 ? "_a" : "_b";
    file.write({"/modes/offset" + suffix, "1", "added to f_j(x), because the kernel is centred", {"/mode"}}, modes,
               offsets[kind]);
  }
  file.write(
      {"/timescales/tau", time_units, "-log(s0^2 gamma) / (8 gamma): when the mode is learned (eq. 16)", {"/mode"}},
      modes, result.tau);
  file.write(
      {"/timescales/half_rise", time_units, "when lambda_j is exactly 1/2; NaN if it starts at 1 or above", {"/mode"}},
      modes, result.half_rise);
  file.write(
      {"/timescales/s0", "1 / sqrt(units of k)", "initial singular values alpha sqrt(d - j + 1) (eq. 21)", {"/mode"}},
      modes, result.s0);

  const Trajectory& path = result.trajectory;
  file.write_scale({"/dynamics/time", time_units, "training time t", {}}, "time", path.time);
  file.write(
      {"/dynamics/lambda", "1", "predicted eigenvalues lambda_j(t) of C (Prop. 4.1)", {"/dynamics/time", "/mode"}},
      {path.time.size(), modes[0]}, path.lambda);
  file.write(
      {"/dynamics/loss", "1", "predicted loss L(t), the sum of (1 - lambda_j)^2 over the modes", {"/dynamics/time"}},
      {path.time.size()}, path.loss);

  file.write_views({"/embeddings/train",
                    "1",
                    "closed-form final embedding f_j of all views of every pair (Prop. 5.1)",
                    {"/view", "/pair", "/mode"}},
                   result.embedding.train, result.embedding.pairing.views);
  for (const auto& [name, embedded] : result.tests) {
    file.write_samples(
        {"/embeddings/" + name, "1", "the same of the samples in " + name, {"/" + name + "_sample", "/mode"}},
        embedded);
  }
}

/// What --output.kernel and --output.eigenvectors ask for.
void write_saved_matrices(ResultFile& file, const ResultOrigin& origin, const SolveResult& result) {
  const std::int64_t views = view_count(origin.pairs);
  if (result.modes.kernel) {
    file.write_scale({"/other_sample", "1", "the numbers of sample, for columns", {}}, "other_sample",
                     numbers_from(0, result.modes.kernel->cols()));
    file.write_matrix({"/kernel/train",
                       kernel_units,
                       "k(x_i, x_j) of all training samples, as the method saw it: centred with --kernel.centre",
                       {"/sample", "/other_sample"}},
                      *result.modes.kernel, {views, views});
  }
  if (result.modes.all_dual) {
    file.write_matrix(
        {"/modes/all_dual",
         "1 / sqrt(units of k)",
         "dual vectors of every gamma, with T a_j = gamma_j a_j and a_j^T K a_j = 1; 0 below the noise floor",
         {"/sample", "/eigenvalue"}},
        *result.modes.all_dual, {views, 1});
  }
}

void write_diagnostics(ResultFile& file, const ResultOrigin& origin, const SolveResult& result) {
  const auto count = [&](const std::string& name, std::int64_t number, const std::string& description) {
    file.write({"/diagnostics/" + name, "1", description, {}}, {}, std::vector<std::int64_t>{number});
  };
  const auto number = [&](const std::string& name, double x, const std::string& units, const std::string& description) {
    file.write({"/diagnostics/" + name, units, description, {}}, {}, std::vector<double>{x});
  };
  number("noise_floor", result.modes.noise_floor, kernel_units,
         "100 * N * eps * max |gamma|: smaller eigenvalues are rounding");
  number("mean_pair_kernel", result.modes.mean_pair_kernel, kernel_units,
         "mean of k over pairs of views of the same sample, equal to the sum of all gamma");
  if (!result.embedding.gamma.empty()) {
    file.write({"/diagnostics/residual",
                "1",
                "||T a_j - gamma_j a_j||_K / gamma_1 of each mode, with the kernel matrix itself",
                {"/mode"}},
               {result.modes.residuals.size()}, result.modes.residuals);
    number("whiteness_error", result.whiteness_error, "1",
           "max |C - I|, C = F B F^T / (N (V - 1)) of the training embedding");
    number("rkhs_norm_squared", rkhs_norm_squared(result.embedding.gamma), "1 / units of k",
           "squared RKHS norm of the embedding, the sum of 1 / gamma_j over the modes");
  }
  if (const auto* direct = std::get_if<DirectReport>(&result.modes.report)) {
    count("positive_modes", direct->positive, "number of gamma above the noise floor");
    count("rank", direct->rank, "number of |gamma| above the noise floor: the numerical rank of K_Gamma");
    number("trace_error", direct->trace_error, "1", "|sum of gamma - mean_pair_kernel| / max |gamma|");
    number("cholesky_shift", direct->shift, kernel_units,
           "what was added to the diagonal of K before Cholesky; 0 for other methods");
    number("eigensolver_residual", direct->eigensolve.residual, "1",
           "max_j ||M z - gamma z||_2 / (N eps ||M||_F); healthy below 1");
    number("eigensolver_orthogonality", direct->eigensolve.orthogonality, "1",
           "max |Z^T Z - I| / (N eps); healthy below 1");
  } else {
    const auto& krylov = std::get<KrylovReport>(result.modes.report);
    count("krylov_rounds", krylov.rounds, "passes over the kernel matrix");
    count("krylov_rough_rounds", krylov.rough_rounds, "those of them in single precision");
    count("krylov_products", krylov.products, "vectors that the kernel matrix was multiplied with");
    count("krylov_restarts", krylov.restarts, "times that the basis was cut back to its leading Ritz vectors");
    number("krylov_tolerance", krylov.tolerance, "1", "what every entry of residual had to stay below");
  }
  if (const auto& negative = result.modes.negative) {
    number("negative_eigenvalue", negative->smallest, kernel_units,
           negative->estimated ? "the smallest eigenvalue of K is at most this, by Lanczos; 0: none found below 0"
                               : "the smallest eigenvalue of K, 0 if none is negative");
    number("negative_mass", negative->mass, "1",
           fmt::format("{}sum |negative eigenvalues of K| / sum |eigenvalues of K|, at most {}",
                       negative->estimated ? "lower bound of " : "", origin.config.kernel.negative_mass));
  }
  if (result.second) {
    number("check_gamma", result.second->difference.gamma, "1",
           "max_j |gamma_j - gamma'_j| / gamma_1, with gamma' by another method (--solver.check)");
    number("check_angle", result.second->difference.angle, "radians",
           "largest principal angle between the modes and those of the other method, in the K inner product");
    file.attributes("/diagnostics", {{"check_method", result.second->method}});
  }
}

}  // namespace

std::int64_t write_result(const ResultOrigin& origin, const SolveResult& result) {
  ResultFile file(origin.comm, origin.config.output, origin.config.force, origin.layout);
  file.attributes("/", root_attributes(origin, result));
  write_scales(file, origin, result);
  write_data(file, origin);
  write_spectrum(file, result);
  if (!result.embedding.gamma.empty()) write_modes(file, result);
  write_saved_matrices(file, origin, result);
  write_diagnostics(file, origin, result);
  write_performance(file, origin.comm, origin.report);
  return file.commit();
}

std::string summary(const SolveResult& result) {
  constexpr std::size_t most_rows = 12;
  const std::size_t d = result.tau.size();
  std::string text;
  if (d > 0) text = fmt::format("{:>6}{:>16}{:>16}{:>12}\n", "mode", "gamma", "tau", "residual");
  for (std::size_t j = 0; j < std::min(d, most_rows); ++j) {
    text += fmt::format("{:>6}{:>16.8g}{:>16.8g}{:>12.1e}\n", j + 1, result.modes.gamma[j], result.tau[j],
                        result.modes.residuals[j]);
  }
  if (d > most_rows) text += fmt::format("   ... {} more in the file\n", d - most_rows);
  if (const auto* direct = std::get_if<DirectReport>(&result.modes.report)) {
    text += fmt::format("{} positive modes and {} negative ones among {} samples, rank {}", direct->positive,
                        direct->rank - direct->positive, result.modes.gamma.size(), direct->rank);
  } else {
    text += fmt::format("{} modes of {} samples", d, result.embedding.train.samples);
  }
  text += fmt::format(", by {} and {}\n", result.method, solver_name(result.modes));
  if (const auto& negative = result.modes.negative) {
    text += negative->smallest < 0
                ? fmt::format("the stored kernel has eigenvalues down to {:.2e}{}, the negative ones {}{:.1e} of all\n",
                              negative->smallest, negative->estimated ? " or below" : "",
                              negative->estimated ? "at least " : "", negative->mass)
                : fmt::format("the stored kernel has no negative eigenvalues{}\n",
                              negative->estimated ? " that Lanczos found" : "");
  }
  if (result.second) {
    text += fmt::format("check by {}: gamma differs by {:.1e} of gamma_1, the modes by an angle of {:.1e}\n",
                        result.second->method, result.second->difference.gamma, result.second->difference.angle);
  }
  return text;
}

}  // namespace stepwise
