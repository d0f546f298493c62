#pragma once

#include <string>
#include <vector>

#include "stepwise/io/series_file.hpp"
#include "stepwise/sim/width_fit.hpp"
#include "width_plan.hpp"

namespace stepwise {

/// What the trainings of a plan have left, by (variant, width, seed); see WidthPlan::place.
using WidthResults = std::vector<WidthResult>;

/// One number of all results of a variant, widths x seeds.
[[nodiscard]] std::vector<double> values_of(const WidthPlan& plan, const WidthResults& results, std::size_t variant,
                                            double WidthResult::*value);

/// KL divergence of the outputs after training, taken for Gaussian with their moments over samples, outputs and seeds,
/// from those of the reference width, width by width. NaN where nothing is left of one of the two.
[[nodiscard]] std::vector<double> divergences(const WidthPlan& plan, const WidthResults& results, std::size_t variant);

/// Scales, results and exponents, for the file.
[[nodiscard]] std::vector<FixedDataset> width_datasets(const WidthPlan& plan, std::int64_t seed,
                                                       const WidthResults& results);

/// For the terminal: variant by variant a table over the widths, means over seeds, and the exponents.
[[nodiscard]] std::string width_table(const WidthPlan& plan, const WidthResults& results);

/// Trainings that diverged, one text each.
[[nodiscard]] std::vector<std::string> diverged_runs(const WidthPlan& plan, const WidthTask& task,
                                                     const WidthResults& results);

}  // namespace stepwise
