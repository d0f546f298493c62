#include "simulate_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "stepwise/theory/descent.hpp"

namespace stepwise {
namespace {

constexpr const char* time_units = "learning rate x steps / units of k";
constexpr const char* inverse_root_units = "1 / sqrt(units of k)";

hsize_t extent(std::int64_t count) {
  return static_cast<hsize_t>(count);
}

std::vector<double> transposed(const std::vector<double>& matrix, std::int64_t rows) {
  const auto r = static_cast<std::size_t>(rows);
  const std::size_t cols = matrix.size() / r;
  std::vector<double> result(matrix.size());
  for (std::size_t i = 0; i < r; ++i) {
    for (std::size_t j = 0; j < cols; ++j) result[i * cols + j] = matrix[i + j * r];
  }
  return result;
}

/// Where one eigenvalue of C, the j-th largest, goes.
std::vector<double> curve_of(const History& history, std::int64_t j, std::int64_t outputs) {
  std::vector<double> curve;
  for (std::int64_t at = j; at < std::ssize(history.lambda); at += outputs) {
    curve.push_back(history.lambda[static_cast<std::size_t>(at)]);
  }
  return curve;
}

/// A dash for what does not happen.
std::string time_text(double time) {
  return std::isnan(time) ? "-" : fmt::format("{:.8g}", time);
}

}  // namespace

FixedDataset number_scale(const std::string& name, const std::string& description, std::int64_t first,
                          std::int64_t count) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), first);
  return {{"/" + name, "1", description, {}}, {extent(count)}, std::move(numbers), name};
}

FixedDataset fixed(DatasetInfo info, std::vector<hsize_t> extents, std::vector<double> values) {
  return {std::move(info), std::move(extents), std::move(values), ""};
}

std::vector<FixedDataset> sample_scales(const Problem& problem, std::int64_t outputs) {
  std::vector<FixedDataset> scales{
      number_scale("output", "number of an output of the model", 1, outputs),
      number_scale("pair", "number of a positive pair", 0, problem.samples / problem.pairing.views),
      number_scale("view", "view of a pair: 0 is x, 1 is x', and so on", 0, problem.pairing.views)};
  for (const auto& [name, range, modality] : test_groups(problem.pairs)) {
    scales.push_back(number_scale(name + "_sample", "number of a sample in " + name, 0, range.size()));
  }
  return scales;
}

std::vector<FixedDataset> predicted_datasets(const std::vector<double>& gamma, const Prediction& prediction) {
  const auto d = static_cast<std::int64_t>(prediction.gamma.size());
  std::vector<double> tau;
  for (std::size_t j = 0; j < prediction.gamma.size(); ++j) {
    tau.push_back(timescale(prediction.gamma[j], prediction.start.s0[j]));
  }
  return {
      number_scale("mode", "number of a mode, by descending gamma", 1, d),
      number_scale("eigenvalue", "number of an eigenvalue, descending", 1, std::ssize(gamma)),
      fixed({"/spectrum/gamma",
             "units of k",
             "eigenvalues of the contrastive kernel K_Gamma, descending: all that were found",
             {"/eigenvalue"}},
            {gamma.size()}, gamma),
      fixed({"/initial/s0",
             inverse_root_units,
             "s_j(0): singular values of the initial weights seen in the modes (eq. 41, 42)",
             {"/mode"}},
            {extent(d)}, prediction.start.s0),
      fixed({"/initial/u", "1", "U: rotates the final embedding to f(x, t) = U S(t) A^T k(x)", {"/output", "/mode"}},
            {extent(d), extent(d)}, transposed(prediction.start.u, d)),
      fixed(
          {"/timescales/tau", time_units, "-log(s0^2 gamma) / (8 gamma): when the mode is learned (eq. 16)", {"/mode"}},
          {extent(d)}, tau),
      fixed({"/timescales/half_rise",
             time_units,
             "when the predicted lambda_j rises to 1/2, of descent where that is trained by; NaN where it does not",
             {"/mode"}},
            {extent(d)}, prediction.half_rise)};
}

std::vector<FixedDataset> start_datasets(const TrainingStart& start, std::int64_t outputs, std::int64_t views) {
  std::vector<FixedDataset> datasets;
  if (!start.weights.empty()) {
    const auto features = static_cast<std::int64_t>(start.weights.size()) / outputs;
    datasets.push_back(number_scale("feature", "number of a feature of a sample", 0, features));
    datasets.push_back(fixed({"/initial/weights", inverse_root_units, "W(0): f_0(x) = W(0) x", {"/output", "/feature"}},
                             {extent(outputs), extent(features)}, transposed(start.weights, outputs)));
  }
  datasets.push_back({{"/initial/outputs", "1", "f_0 of all views of every pair", {"/view", "/pair", "/output"}},
                      {extent(views), extent(start.outputs.samples / views), extent(outputs)},
                      &start.outputs,
                      ""});
  return datasets;
}

std::vector<double> measured_half_rises(const History& history, std::int64_t outputs) {
  std::vector<double> times;
  for (std::int64_t j = 0; j < outputs; ++j) times.push_back(half_rise_of(history.time, curve_of(history, j, outputs)));
  return times;
}

std::vector<double> largest_differences(const History& history, const Trajectory& predicted, std::int64_t outputs) {
  std::vector<double> largest(static_cast<std::size_t>(outputs));
  const auto d = static_cast<std::size_t>(outputs);
  for (std::size_t at = 0; at + d <= history.lambda.size(); at += d) {
    std::vector<double> expected(predicted.lambda.begin() + static_cast<std::ptrdiff_t>(at),
                                 predicted.lambda.begin() + static_cast<std::ptrdiff_t>(at + d));
    std::sort(expected.begin(), expected.end(), std::greater<>());
    for (std::size_t j = 0; j < d; ++j) {
      largest[j] = std::max(largest[j], std::abs(history.lambda[at + j] - expected[j]));
    }
  }
  return largest;
}

std::vector<FixedDataset> measured_datasets(const std::string& group, const History& history,
                                            const Prediction* prediction, std::int64_t outputs) {
  std::vector<FixedDataset> datasets{
      fixed({group + "/timescales/measured_half_rise",
             time_units,
             "when the j-th largest measured eigenvalue of C rose to 1/2; NaN where it did not",
             {"/mode"}},
            {extent(outputs)}, measured_half_rises(history, outputs))};
  if (prediction != nullptr) {
    datasets.push_back(fixed({group + "/difference/largest",
                              "1",
                              "largest |measured - predicted eigenvalue of C| over all records",
                              {"/mode"}},
                             {extent(outputs)}, largest_differences(history, prediction->path, outputs)));
  }
  return datasets;
}

std::vector<FixedDataset> loss_datasets(const std::vector<std::string>& losses, const std::vector<History>& histories,
                                        std::int64_t outputs) {
  std::vector<double> times;
  for (const History& history : histories) {
    const std::vector<double> of_one = measured_half_rises(history, outputs);
    times.insert(times.end(), of_one.begin(), of_one.end());
  }
  return {{{"/losses/loss", "1", "what was trained by", {}}, {losses.size()}, losses, "loss"},
          fixed({"/losses/time_to_learn",
                 time_units,
                 "when so many eigenvalues of C had risen to 1/2; NaN where they did not",
                 {"/losses/loss", "/mode"}},
                {losses.size(), extent(outputs)}, times)};
}

std::string comparison(const History& history, const Prediction& prediction) {
  const auto d = static_cast<std::int64_t>(prediction.gamma.size());
  const std::vector<double> measured = measured_half_rises(history, d);
  const std::vector<double> apart = largest_differences(history, prediction.path, d);
  std::string text =
      fmt::format("{:>6}{:>16}{:>16}{:>16}{:>12}\n", "mode", "gamma", "predicted t", "measured t", "deviation");
  for (std::size_t j = 0; j < measured.size(); ++j) {
    text += fmt::format("{:>6}{:>16.8g}{:>16}{:>16}{:>12.2e}\n", j + 1, prediction.gamma[j],
                        time_text(prediction.half_rise[j]), time_text(measured[j]), apart[j]);
  }
  text += fmt::format("t: when lambda is 1/2; deviation: the largest of |measured - predicted lambda|, {:.2e} in all\n",
                      *std::max_element(apart.begin(), apart.end()));
  if (prediction.flow) {
    const std::vector<double> of_flow = largest_differences(history, *prediction.flow, d);
    text += fmt::format("prediction: of descent at this rate; from gradient flow lambda differs by {:.2e}\n",
                        *std::max_element(of_flow.begin(), of_flow.end()));
  }
  return text;
}

std::string comparison(const std::vector<std::string>& losses, const std::vector<History>& histories,
                       std::int64_t outputs) {
  const auto plain = std::find(losses.begin(), losses.end(), "plain");
  const auto all_learned = [&](const History& history) { return measured_half_rises(history, outputs).back(); };
  std::string text = fmt::format("{:>16}{:>24}{:>12}\n", "loss", fmt::format("{} modes learned at t", outputs),
                                 plain == losses.end() ? "" : "of plain");
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const double time = all_learned(histories[i]);
    text += fmt::format("{:>16}{:>24}", losses[i], time_text(time));
    if (plain != losses.end()) {
      const double reference = all_learned(histories[static_cast<std::size_t>(plain - losses.begin())]);
      text += fmt::format("{:>12}", std::isnan(time / reference) ? "-" : fmt::format("{:.4f}", time / reference));
    }
    text += '\n';
  }
  return text;
}

}  // namespace stepwise
