#include "width_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "simulate_output.hpp"

namespace stepwise {
namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

/// A column of the table.
struct Column {
  const char* title;
  double WidthResult::*value;
  bool power = true;  ///< whether an exponent says something
};
constexpr std::array<Column, 10> columns{{
    {"K_0 - K", &WidthResult::limit_distance},
    {"K_T - K_0", &WidthResult::kernel_change},
    {"J_T - J_0", &WidthResult::feature_change},
    {"f - f_lin", &WidthResult::linearised_error},
    {"ball", &WidthResult::weight_distance},
    {"neuron", &WidthResult::neuron_distance},
    {"|f_0|", &WidthResult::start_outputs},
    {"|f - f_0|", &WidthResult::output_change},
    {"|K_0|", &WidthResult::start_kernel},
    {"loss", &WidthResult::loss, false},
}};

std::string cell(double number) {
  if (std::isnan(number)) return fmt::format("{:>10}", "-");
  const double size = std::abs(number);
  return size != 0 && (size < 1e-3 || size >= 1e5) ? fmt::format("{:>10.2e}", number)
                                                   : fmt::format("{:>10.4f}", number);
}

/// Of what is finite.
double mean_of(const double* values, std::int64_t count) {
  double sum = 0;
  std::int64_t finite = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (!std::isfinite(values[i])) continue;
    sum += values[i];
    ++finite;
  }
  return finite == 0 ? nothing : sum / static_cast<double>(finite);
}

std::string variant_table(const WidthPlan& plan, const WidthResults& results, std::size_t variant) {
  std::string text = fmt::format("{}\n{:>9}", describe(plan.variants[variant]), "width");
  for (const Column& column : columns) text += fmt::format("{:>10}", column.title);
  text += fmt::format("{:>10}\n", "KL");
  const std::vector<double> divergence = divergences(plan, results, variant);
  for (std::size_t w = 0; w < plan.widths.size(); ++w) {
    text += fmt::format("{:>9}", plan.widths[w]);
    for (const Column& column : columns) {
      const std::vector<double> values = values_of(plan, results, variant, column.value);
      text += cell(mean_of(values.data() + w * static_cast<std::size_t>(plan.seeds), plan.seeds));
    }
    text += cell(divergence[w]) + '\n';
  }
  if (plan.widths.size() < 2) return text;
  std::string exponents = fmt::format("{:>9}", "exponent");
  std::string errors = fmt::format("{:>9}", "+-");
  for (const Column& column : columns) {
    const WidthExponent fit = column.power ? fit_exponent(plan.widths, values_of(plan, results, variant, column.value))
                                           : WidthExponent{nothing, nothing, 0};
    exponents += std::isnan(fit.value) ? cell(nothing) : fmt::format("{:>10.3f}", fit.value);
    errors += std::isnan(fit.error) ? cell(nothing) : fmt::format("{:>10.3f}", fit.error);
  }
  return text + exponents + '\n' + errors + '\n';
}

}  // namespace

std::vector<double> values_of(const WidthPlan& plan, const WidthResults& results, std::size_t variant,
                              double WidthResult::*value) {
  std::vector<double> values;
  const std::size_t begin = plan.place(variant, 0, 0);
  for (std::size_t i = begin; i < plan.place(variant + 1, 0, 0); ++i) values.push_back(results[i].*value);
  return values;
}

std::vector<double> divergences(const WidthPlan& plan, const WidthResults& results, std::size_t variant) {
  const auto moments = [&](std::size_t width) {
    std::vector<GaussianMoments> parts;
    for (std::int64_t seed = 0; seed < plan.seeds; ++seed) {
      const WidthResult& result = results[plan.place(variant, width, seed)];
      if (std::isfinite(result.output_mean)) parts.push_back({result.output_mean, result.output_variance});
    }
    return parts.empty() ? GaussianMoments{nothing, nothing} : pooled(parts);
  };
  const auto found = std::find(plan.widths.begin(), plan.widths.end(), plan.reference);
  std::vector<double> divergences(plan.widths.size(), nothing);
  if (found == plan.widths.end()) return divergences;
  const GaussianMoments reference = moments(static_cast<std::size_t>(found - plan.widths.begin()));
  for (std::size_t w = 0; w < plan.widths.size(); ++w) {
    const GaussianMoments here = moments(w);
    divergences[w] = gaussian_divergence(here.mean, here.variance, reference.mean, reference.variance);
  }
  return divergences;
}

std::vector<FixedDataset> width_datasets(const WidthPlan& plan, std::int64_t seed, const WidthResults& results) {
  std::vector<std::string> names;
  std::vector<double> divergence;
  for (std::size_t v = 0; v < plan.variants.size(); ++v) {
    names.push_back(describe(plan.variants[v]));
    const std::vector<double> of_variant = divergences(plan, results, v);
    divergence.insert(divergence.end(), of_variant.begin(), of_variant.end());
  }
  const hsize_t variants = plan.variants.size();
  const hsize_t widths = plan.widths.size();
  std::vector<FixedDataset> datasets{
      {{"/variant", "1", "activation, outputs, loss, scaling with the width", {}}, {variants}, names, "variant"},
      {{"/width", "neurons", "width M of the hidden layer", {}}, {widths}, plan.widths, "width"},
      number_scale("seed", "seed of the weights", seed, plan.seeds)};
  for (const WidthStatistic& statistic : width_statistics) {
    std::vector<double> values;
    std::vector<double> exponents;
    std::vector<double> errors;
    for (std::size_t v = 0; v < plan.variants.size(); ++v) {
      const std::vector<double> of_variant = values_of(plan, results, v, statistic.value);
      const WidthExponent fit = fit_exponent(plan.widths, of_variant);
      values.insert(values.end(), of_variant.begin(), of_variant.end());
      exponents.push_back(fit.value);
      errors.push_back(fit.error);
    }
    const std::string name = statistic.name;
    datasets.push_back(fixed({"/study/" + name, "1", statistic.description, {"/variant", "/width", "/seed"}},
                             {variants, widths, static_cast<hsize_t>(plan.seeds)}, std::move(values)));
    if (name == "steps" || name == "output_mean") continue;
    datasets.push_back(fixed({"/exponent/" + name,
                              "1",
                              "exponent of the width that /study/" + name + " goes with, mean over seeds",
                              {"/variant"}},
                             {variants}, std::move(exponents)));
    datasets.push_back(fixed({"/exponent/" + name + "_error", "1", "its standard error over seeds", {"/variant"}},
                             {variants}, std::move(errors)));
  }
  datasets.push_back(fixed({"/study/divergence",
                            "nats",
                            "KL divergence of the outputs after training from those of the reference width, Gaussians "
                            "with their moments over samples, outputs and seeds",
                            {"/variant", "/width"}},
                           {variants, widths}, std::move(divergence)));
  return datasets;
}

std::string width_table(const WidthPlan& plan, const WidthResults& results) {
  std::string text =
      "K_0: tangent kernel at the start, K: of infinite width, J: Jacobian, f_lin: first-order expansion, all "
      "relative;\n"
      "ball, neuron: distance of all weights and the largest of one neuron's from the start; exponents of the width\n";
  for (std::size_t v = 0; v < plan.variants.size(); ++v) text += '\n' + variant_table(plan, results, v);
  return text;
}

std::vector<std::string> diverged_runs(const WidthPlan& plan, const WidthTask& task, const WidthResults& results) {
  std::vector<std::string> texts;
  for (std::size_t v = 0; v < plan.variants.size(); ++v) {
    for (std::size_t w = 0; w < plan.widths.size(); ++w) {
      for (std::int64_t seed = 0; seed < plan.seeds; ++seed) {
        const double steps = results[plan.place(v, w, seed)].steps;
        if (steps >= static_cast<double>(task.steps)) continue;
        texts.push_back(fmt::format("width {}, seed {} ({}) diverges after step {:.0f}", plan.widths[w],
                                    task.seed + seed, describe(plan.variants[v]), steps));
      }
    }
  }
  return texts;
}

}  // namespace stepwise
