#include <algorithm>
#include <cmath>

#include "simulate_config.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/io/input_file.hpp"
#include "stepwise/theory/descent.hpp"
#include "stepwise/theory/timescales.hpp"
#include "verify_checks.hpp"

namespace stepwise {
namespace {

constexpr double rounding = 1e-11;

std::string attribute(const FileContents& contents, const std::string& name) {
  for (const auto& [key, value] : contents.attributes) {
    if (key == name && std::holds_alternative<std::string>(value)) return std::get<std::string>(value);
  }
  return "";
}

/// One training: its datasets are in a group where several losses were trained by.
struct Trained {
  InputFile& file;
  const FileContents& contents;
  std::string group;
  std::vector<double> time;

  [[nodiscard]] bool has(const std::string& name) const { return stepwise::has(contents, group + name); }
  /// As many records as times, which are written last.
  [[nodiscard]] std::vector<double> series(const std::string& name) const {
    std::vector<double> numbers = file.numbers(group + name);
    const std::vector<std::int64_t> extents = file.extents(group + name);
    const std::size_t records = extents.empty() ? 0 : static_cast<std::size_t>(extents.front());
    const std::size_t width = records == 0 ? 0 : numbers.size() / records;
    numbers.resize(std::min(numbers.size(), time.size() * width));
    return numbers;
  }
};

/// sum_j (1 - lambda_j)^2 of each of T rows.
std::vector<double> plain_losses(const std::vector<double>& lambda, std::size_t records) {
  std::vector<double> losses;
  const std::size_t d = lambda.size() / std::max<std::size_t>(records, 1);
  for (std::size_t k = 0; k < records; ++k) {
    double loss = 0;
    for (std::size_t j = k * d; j < (k + 1) * d; ++j) loss += (1 - lambda[j]) * (1 - lambda[j]);
    losses.push_back(loss);
  }
  return losses;
}

/// a - b; empty where they differ in size.
std::vector<double> difference(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> apart;
  for (std::size_t i = 0; i < a.size() && a.size() == b.size(); ++i) apart.push_back(a[i] - b[i]);
  return apart;
}

/// When each column of a T x d table rises to 1/2.
std::vector<double> half_rises(const std::vector<double>& time, const std::vector<double>& table) {
  std::vector<double> times;
  const std::size_t d = table.size() / std::max<std::size_t>(time.size(), 1);
  for (std::size_t j = 0; j < d; ++j) {
    std::vector<double> curve;
    for (std::size_t at = j; at < table.size(); at += d) curve.push_back(table[at]);
    times.push_back(half_rise_of(time, curve));
  }
  return times;
}

/// measured - predicted, where the largest of a row belong together.
void check_differences(Checks& checks, const Trained& run, const std::vector<double>& lambda) {
  std::vector<double> predicted = run.series("/predicted/lambda");
  const std::size_t d = predicted.size() / std::max<std::size_t>(run.time.size(), 1);
  checks.at_most(run.group + "/predicted/loss = sum (1 - lambda_j)^2",
                 relative_difference(run.series("/predicted/loss"), plain_losses(predicted, run.time.size()), 1e-6),
                 rounding);
  checks.at_most(run.group + "/difference/loss = measured - predicted",
                 relative_difference(run.series("/difference/loss"),
                                     difference(run.series("/measured/loss"), run.series("/predicted/loss")), 1),
                 rounding);
  for (std::size_t k = 0; k < run.time.size(); ++k) {
    const auto row = predicted.begin() + static_cast<std::ptrdiff_t>(k * d);
    std::sort(row, row + static_cast<std::ptrdiff_t>(d), std::greater<>());
  }
  const std::vector<double> apart = difference(lambda, predicted);
  checks.at_most(run.group + "/difference/lambda = measured - predicted",
                 relative_difference(run.series("/difference/lambda"), apart, 1), rounding);
  if (!run.has("/difference/largest")) return;
  std::vector<double> largest(d);
  for (std::size_t i = 0; i < apart.size(); ++i) largest[i % d] = std::max(largest[i % d], std::abs(apart[i]));
  checks.at_most(run.group + "/difference/largest",
                 relative_difference(run.file.numbers(run.group + "/difference/largest"), largest, 1), rounding);
}

/// The curves and when they rise, from gamma and s0.
void check_prediction(Checks& checks, const Trained& run, const std::vector<double>& gamma,
                      const std::vector<double>& s0, double momentum) {
  constexpr double tolerance = 1e-8;
  const std::vector<double> predicted = run.series("/predicted/lambda");
  std::vector<double> time = run.time;
  std::vector<double> half;
  if (run.has("/predicted/flow_lambda")) {
    const std::vector<std::int64_t> steps = [&] {
      std::vector<std::int64_t> all = run.file.integers(run.group + "/step");
      all.resize(std::min(all.size(), time.size()));
      return all;
    }();
    const double rate = steps.empty() || steps.back() == 0 ? 0 : time.back() / static_cast<double>(steps.back());
    std::vector<double> descended(steps.size() * gamma.size());
    for (std::size_t j = 0; j < gamma.size(); ++j) {
      const std::vector<double> s = descended_singular_values(gamma[j], s0[j], rate, steps, momentum);
      for (std::size_t k = 0; k < s.size(); ++k) descended[k * gamma.size() + j] = gamma[j] * s[k] * s[k];
    }
    checks.at_most(run.group + "/predicted/lambda from gamma and s0, of descent",
                   relative_difference(predicted, descended, 1e-6), tolerance);
    half = half_rises(time, predicted);
    for (double& t : time) t /= 1 - momentum;
  } else {
    for (std::size_t j = 0; j < gamma.size(); ++j) half.push_back(half_rise(gamma[j], s0[j]));
  }
  const std::string flow = run.has("/predicted/flow_lambda") ? "/predicted/flow_lambda" : "/predicted/lambda";
  checks.at_most(run.group + flow + " from gamma and s0",
                 relative_difference(run.series(flow), trajectory(gamma, s0, time).lambda, 1e-6), tolerance);
  // The predicted curve goes on to the end that training did not come to, where it was stopped.
  if (attribute(run.contents, "status") != "complete") return;
  checks.at_most("half_rise of " + run.group + "/predicted/lambda",
                 relative_difference(run.file.numbers("/timescales/half_rise"), half), rounding);
}

void check_training(Checks& checks, Trained& run, bool plain) {
  run.time = run.file.numbers(run.group + "/time");
  checks.add(run.group + "/time ascends from 0",
             !run.time.empty() && run.time.front() == 0 && std::ranges::is_sorted(run.time),
             fmt::format("{} points", run.time.size()));
  if (!run.has("/measured/lambda")) return;
  const std::vector<double> lambda = run.series("/measured/lambda");
  if (plain) {
    checks.at_most(run.group + "/measured/loss = sum (1 - lambda_j)^2",
                   relative_difference(run.series("/measured/loss"), plain_losses(lambda, run.time.size()), 1e-6),
                   1e-9);
  }
  if (run.has("/timescales/measured_half_rise")) {
    checks.at_most(run.group + "/timescales/measured_half_rise",
                   relative_difference(run.file.numbers(run.group + "/timescales/measured_half_rise"),
                                       half_rises(run.time, lambda)),
                   rounding);
  }
  if (run.has("/predicted/lambda")) check_differences(checks, run, lambda);
}

}  // namespace

void check_simulation(Checks& checks, const Communicator& comm, const std::string& path, const FileContents& contents) {
  InputFile file(comm, path);
  const SimulateConfig config = attempt(comm, [&] {
    SimulateConfig read;
    std::vector<Option> options = simulate_options(read);
    read_settings(attribute(contents, "configuration"), path + ": configuration", options);
    return read;
  });
  if (config.model == "widths") return checks.skip("numbers", "a study of widths has no training to compare");
  if (const std::string status = attribute(contents, "status"); status != "complete") {
    checks.skip("all of it", fmt::format("the simulation is '{}': what there is, is checked", status));
  }
  std::vector<double> gamma;
  std::vector<double> s0;
  if (has(contents, "/timescales/tau") && has(contents, "/initial/s0")) {
    gamma = file.numbers("/spectrum/gamma");
    s0 = file.numbers("/initial/s0");
    const std::size_t d = std::min(gamma.size(), s0.size());
    gamma.resize(d);
    s0.resize(d);
    std::vector<double> tau;
    for (std::size_t j = 0; j < d; ++j) tau.push_back(timescale(gamma[j], s0[j]));
    checks.at_most("tau from gamma and s0", relative_difference(file.numbers("/timescales/tau"), tau), rounding);
  }
  const std::vector<std::string> losses = loss_names(config);
  for (const std::string& loss : losses) {
    Trained run{file, contents, losses.size() > 1 ? "/" + loss : "", {}};
    if (!run.has("/time")) continue;
    checks.section("training" + (run.group.empty() ? "" : " " + run.group), [&] {
      check_training(checks, run, loss == "plain" && config.model != "supervised");
      if (run.has("/predicted/lambda") && !gamma.empty()) {
        check_prediction(checks, run, gamma, s0, config.network.momentum);
      }
    });
  }
}

}  // namespace stepwise
