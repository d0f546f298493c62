#include "probe_output.hpp"

#include <fmt/format.h>

#include <numeric>

#include "run_attributes.hpp"
#include "stepwise/io/result_file.hpp"

namespace stepwise {
namespace {

double accuracy(const RidgeProbe& probe) {
  return probe.tests[probe.path.chosen];
}

/// A series as a group of the file, its dimension named by `scale`.
void write_series(ResultFile& file, const std::string& group, const std::string& scale, const ProbeSeries& series,
                  const std::vector<double>& penalties) {
  const std::size_t length = series.ridge.size();
  const auto curve = [&](const char* name, const char* description, const std::vector<double>& values) {
    file.write({group + "/" + name, "1", description, {scale}}, {length}, values);
  };
  const auto of_ridge = [&](const char* name, const char* description, auto&& number) {
    std::vector<double> values;
    for (const RidgeProbe& probe : series.ridge) values.push_back(number(probe));
    curve(name, description, values);
  };
  const auto path = [&](const char* name, const char* description, auto&& numbers) {
    std::vector<double> values;
    for (const RidgeProbe& probe : series.ridge) {
      values.insert(values.end(), numbers(probe).begin(), numbers(probe).end());
    }
    file.write({group + "/" + name, "1", description, {scale, "/penalty"}}, {length, penalties.size()}, values);
  };
  of_ridge("ridge_accuracy", "share of the test samples that the ridge probe with the chosen penalty gets right",
           accuracy);
  of_ridge("ridge_validation", "accuracy of the chosen penalty in cross-validation",
           [](const RidgeProbe& probe) { return probe.path.validation[probe.path.chosen]; });
  of_ridge("ridge_penalty", "chosen penalty, as in /penalty",
           [&](const RidgeProbe& probe) { return penalties[probe.path.chosen]; });
  of_ridge("ridge_scale", "what /penalty is a multiple of: mean eigenvalue of the centred Gram matrix",
           [](const RidgeProbe& probe) { return probe.path.scale; });
  path("ridge_path_validation", "accuracy of every penalty in cross-validation",
       [](const RidgeProbe& probe) -> const std::vector<double>& { return probe.path.validation; });
  path("ridge_path_accuracy", "accuracy of every penalty on the test samples",
       [](const RidgeProbe& probe) -> const std::vector<double>& { return probe.tests; });
  curve("euclidean_accuracy", "accuracy of the vote of the nearest neighbours by Euclidean distance",
        series.neighbours.euclidean);
  curve("cosine_accuracy", "accuracy of the vote of the nearest neighbours by cosine distance",
        series.neighbours.cosine);
  curve("rankme", "exp of the entropy of the normalised singular values of the training embeddings", series.rankme);
  curve("effective_dimension", "(sum of eigenvalues)^2 / sum of their squares, of the embeddings' covariance",
        series.effective_dimension);
}

void write_kernel(ResultFile& file, const ProbeResult& result) {
  const auto number = [&](const char* name, const char* units, const char* description, double value) {
    file.write({std::string("/kernel_ridge/") + name, units, description, {}}, {}, std::vector<double>{value});
  };
  const PenaltyPath& path = result.kernel->path;
  number("accuracy", "1", "share of the test samples that kernel ridge regression with the model's kernel gets right",
         result.kernel->accuracy);
  number("penalty", "1", "chosen penalty, as in /penalty", result.penalties[path.chosen]);
  number("scale", "units of k", "what /penalty is a multiple of: mean eigenvalue of the kernel matrix", path.scale);
  file.write(
      {"/kernel_ridge/validation", "1", "accuracy of every penalty, pairs being left out one by one", {"/penalty"}},
      {result.penalties.size()}, path.validation);
}

std::string row(const std::string& name, const ProbeSeries& series, std::size_t i, const std::string& last) {
  return fmt::format("{:>14}{:>9.4f}{:>11.4f}{:>10.4f}{:>10.3f}{:>11.3f}{:>11}\n", name, accuracy(series.ridge[i]),
                     series.neighbours.euclidean[i], series.neighbours.cosine[i], series.rankme[i],
                     series.effective_dimension[i], last);
}

/// 1, 2, 5, 10, 20, 50, ... and the last.
bool is_shown(std::size_t number, std::size_t last) {
  while (number % 10 == 0) {
    if (number == last) return true;
    number /= 10;
    last /= 10;
  }
  return number == last || number == 1 || number == 2 || number == 5;
}

}  // namespace

std::int64_t write_probe(const Communicator& comm, const ProbeConfig& config, const RunConfig& run,
                         const std::string& command, const StoredModel& model, const ProbeResult& result,
                         const Report& report) {
  ResultFile file(comm, config.output, config.force, file_layout(run));
  ProbeConfig settings = config;
  settings.probe.kernel_ridge = result.kernel.has_value();
  Attributes attributes =
      run_attributes(comm, {"stepwise-probe", command, config_text(probe_options(settings)), model.config.seed});
  attributes.insert(attributes.end(), {{"model", config.model},
                                       {"kernel_convention", model.kernel_convention},
                                       {"training_samples", result.training_samples},
                                       {"test_samples", result.test_samples}});
  file.attributes("/", attributes);
  std::vector<std::int64_t> modes(result.by_modes.ridge.size());
  std::iota(modes.begin(), modes.end(), std::int64_t{1});
  file.write_scale({"/mode", "1", "number of leading modes, or number of a mode", {}}, "mode", modes);
  file.write_scale({"/penalty", "1", "ridge penalties, as multiples of a mean eigenvalue", {}}, "penalty",
                   result.penalties);
  file.write_scale({"/class", "1", "labels of the classes, ascending", {}}, "class", result.labels);
  file.write({"/chance", "1", "test accuracy of always predicting the most frequent class of training", {}}, {},
             std::vector<double>{result.chance});
  write_series(file, "/by_modes", "/mode", result.by_modes, result.penalties);
  file.write({"/by_modes/label_alignment", "1", "share of the labels' variance in the direction of a mode", {"/mode"}},
             {modes.size()}, result.label_alignment);
  if (!result.times.empty()) {
    file.write_scale({"/time", "learning rate x steps / units of k", "training time t", {}}, "time", result.times);
    write_series(file, "/by_time", "/time", result.by_time, result.penalties);
  }
  if (result.kernel) write_kernel(file, result);
  write_performance(file, comm, report);
  return file.commit();
}

std::string summary(const ProbeResult& result) {
  std::string text =
      fmt::format("test accuracy, {} training and {} test samples, {} classes; chance {:.4f}\n{:>14}",
                  result.training_samples, result.test_samples, result.labels.size(), result.chance, "modes");
  const std::string columns =
      fmt::format("{:>9}{:>11}{:>10}{:>10}{:>11}", "ridge", "neighbours", "cosine", "RankMe", "dimension");
  text += columns + fmt::format("{:>11}\n", "alignment");
  const std::size_t d = result.by_modes.ridge.size();
  for (std::size_t k = 1; k <= d; ++k) {
    if (!is_shown(k, d)) continue;
    text += row(fmt::format("{}", k), result.by_modes, k - 1, fmt::format("{:.4f}", result.label_alignment[k - 1]));
  }
  if (!result.times.empty()) text += fmt::format("{:>14}{}\n", "time", columns);
  for (std::size_t i = 0; i < result.times.size(); ++i) {
    text += row(fmt::format("{:.5g}", result.times[i]), result.by_time, i, "");
  }
  if (result.kernel) {
    text += fmt::format("kernel ridge{:>11.4f} with penalty {:.3g} x {:.3g}\n", result.kernel->accuracy,
                        result.penalties[result.kernel->path.chosen], result.kernel->path.scale);
  }
  return text;
}

}  // namespace stepwise
