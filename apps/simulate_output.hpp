#pragma once

#include <string>
#include <vector>

#include "correlation_simulation.hpp"
#include "prediction.hpp"
#include "problem.hpp"
#include "simulate_config.hpp"
#include "training_run.hpp"

namespace stepwise {

// What the file of a simulation has beside its series (docs/file_format.md), and what the terminal shows.

/// A dimension scale of whole numbers from `first` on.
[[nodiscard]] FixedDataset number_scale(const std::string& name, const std::string& description, std::int64_t first,
                                        std::int64_t count);
[[nodiscard]] FixedDataset fixed(DatasetInfo info, std::vector<hsize_t> extents, std::vector<double> values);

/// Scales of pairs, views, test samples and outputs.
[[nodiscard]] std::vector<FixedDataset> sample_scales(const Problem& problem, std::int64_t outputs);

/// gamma, what is predicted from it before training starts, and the scale of modes.
[[nodiscard]] std::vector<FixedDataset> predicted_datasets(const std::vector<double>& gamma,
                                                           const Prediction& prediction);

/// W(0) and F_0, which must outlive the dataset.
[[nodiscard]] std::vector<FixedDataset> start_datasets(const TrainingStart& start, std::int64_t outputs,
                                                       std::int64_t views);

/// When each eigenvalue of C rose to 1/2, d times, NaN where it did not.
[[nodiscard]] std::vector<double> measured_half_rises(const History& history, std::int64_t outputs);

/// The largest |measured - predicted eigenvalue of C| over all records, d numbers.
[[nodiscard]] std::vector<double> largest_differences(const History& history, const Trajectory& predicted,
                                                      std::int64_t outputs);

/// Times of the steps as measured, and how far the prediction was off: for the end of the file.
[[nodiscard]] std::vector<FixedDataset> measured_datasets(const std::string& group, const History& history,
                                                          const Prediction* prediction, std::int64_t outputs);

/// When each loss had so many modes learned: for the end of the file.
[[nodiscard]] std::vector<FixedDataset> loss_datasets(const std::vector<std::string>& losses,
                                                      const std::vector<History>& histories, std::int64_t outputs);

// For the terminal.

/// Mode by mode, predicted and measured; and the largest differences.
[[nodiscard]] std::string comparison(const History& history, const Prediction& prediction);
/// Loss by loss, against the plain one where it is among them.
[[nodiscard]] std::string comparison(const std::vector<std::string>& losses, const std::vector<History>& histories,
                                     std::int64_t outputs);

}  // namespace stepwise
