#include "prediction.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/gemm.hpp"
#include "stepwise/theory/descent.hpp"

namespace stepwise {
namespace {

std::vector<std::int64_t> steps_of(const Schedule& schedule) {
  std::vector<std::int64_t> steps;
  for (const Moment& moment : schedule.moments) steps.push_back(moment.step);
  return steps;
}

std::vector<double> times_of(const Schedule& schedule) {
  std::vector<double> times;
  for (const Moment& moment : schedule.moments) times.push_back(moment.time);
  return times;
}

/// Entry `record` of a T x d table, largest first.
std::vector<double> sorted_row(const std::vector<double>& table, std::int64_t record, std::int64_t width) {
  std::vector<double> row(table.begin() + record * width, table.begin() + (record + 1) * width);
  std::sort(row.begin(), row.end(), std::greater<>());
  return row;
}

std::vector<double> row_of(const std::vector<double>& table, std::int64_t record, std::int64_t width) {
  return {table.begin() + record * width, table.begin() + (record + 1) * width};
}

/// Evenly spaced in log t from the first half-rise on, and the last one.
std::vector<std::int64_t> pictures_among(const std::vector<Moment>& moments, double first, std::int64_t wanted) {
  std::vector<std::int64_t> pictures;
  const double end = moments.back().time;
  for (std::int64_t i = 0; i < wanted; ++i) {
    const double fraction = wanted == 1 ? 1 : static_cast<double>(i) / static_cast<double>(wanted - 1);
    const double time = std::min(first, end) * std::pow(end / std::min(first, end), fraction);
    const auto at = std::lower_bound(moments.begin(), moments.end(), time,
                                     [](const Moment& moment, double t) { return moment.time < t; });
    const std::int64_t record = std::min<std::int64_t>(at - moments.begin(), std::ssize(moments) - 1);
    if (pictures.empty() || record > pictures.back()) pictures.push_back(record);
  }
  return pictures;
}

/// s_j(t) of all modes at all moments, T x d.
std::vector<double> singular_values(const std::vector<double>& gamma, const std::vector<double>& s0,
                                    const Schedule& schedule, const std::optional<double>& rate, double momentum) {
  const std::size_t d = gamma.size();
  const std::vector<std::int64_t> steps = steps_of(schedule);
  std::vector<double> s(schedule.moments.size() * d);
  for (std::size_t j = 0; j < d; ++j) {
    const std::vector<double> descended =
        rate ? descended_singular_values(gamma[j], s0[j], *rate, steps, momentum) : std::vector<double>();
    for (std::size_t k = 0; k < schedule.moments.size(); ++k) {
      s[k * d + j] = rate ? descended[k] : singular_value(gamma[j], s0[j], schedule.moments[k].time);
    }
  }
  return s;
}

Trajectory trajectory_of(const std::vector<double>& gamma, const std::vector<double>& s, std::vector<double> time) {
  Trajectory path{std::move(time), {}, {}};
  for (std::size_t k = 0; k < path.time.size(); ++k) {
    double loss = 0;
    for (std::size_t j = 0; j < gamma.size(); ++j) {
      const double lambda = gamma[j] * s[k * gamma.size() + j] * s[k * gamma.size() + j];
      path.lambda.push_back(lambda);
      loss += (1 - lambda) * (1 - lambda);
    }
    path.loss.push_back(loss);
  }
  return path;
}

/// Most steps that nobody asked for.
constexpr double most_steps = 1e8;

void check_steps(const SimulateConfig& config, double rate, double end) {
  const double steps = end / rate;
  if (steps < 0.5) {
    fail(ExitCode::input, "--training.rate {:.6g} is longer than the training, to time {:.6g}: choose a smaller one",
         rate, end);
  }
  if (!config.training.steps && !(steps <= most_steps)) {
    fail(ExitCode::input,
         "--training.rate {:.6g} needs {:.3g} steps to time {:.6g}; give --training.steps or a larger rate{}", rate,
         steps, end, config.training.time ? "" : ", or --training.time");
  }
}

}  // namespace

std::optional<double> learning_rate(const SimulateConfig& config, double largest_stable) {
  if (config.training.method == "flow") return std::nullopt;
  return config.training.rate.value_or((1 - config.network.momentum) * largest_stable / 20);
}

void check_rate(const Study& study, const std::optional<double>& rate, double stable, const std::string& formula) {
  if (!rate) return;
  const std::vector<std::string> losses = loss_names(study.config);
  const bool plain = std::find(losses.begin(), losses.end(), "plain") != losses.end();
  attempt(study.comm, [&] {
    if (plain && *rate > 2 * stable && !study.config.training.steps) {
      fail(ExitCode::input,
           "--training.rate {:.6g} is above twice the largest stable rate, {} = {:.6g}: training diverges; choose at "
           "most that, or give --training.steps to see it",
           *rate, formula, stable);
    }
  });
  if (*rate <= stable) return;
  study.report.warn(
      fmt::format("--training.rate {:.6g} is above the largest stable rate of the plain loss, {} = {:.6g}: training "
                  "will not settle",
                  *rate, formula, stable));
}

Schedule spread_moments(const SimulateConfig& config, double first, double end, const std::optional<double>& rate) {
  if (config.training.time) end = *config.training.time;
  if (rate && config.training.steps) end = *rate * static_cast<double>(*config.training.steps);
  if (rate) check_steps(config, *rate, end);
  const std::int64_t points = config.record.points;
  const double begin = std::min(first, end) / 100;
  Schedule schedule;
  for (std::int64_t i = 0; i < points; ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(points - 1);
    const double rest = points > 2 ? static_cast<double>(i - 1) / static_cast<double>(points - 2) : 1;
    double time = config.record.spacing == "linear" ? part * end : i == 0 ? 0 : begin * std::pow(end / begin, rest);
    if (i + 1 == points) time = end;
    Moment moment{0, time};
    if (rate) {
      moment.step = std::llround(time / *rate);
      moment.time = *rate * static_cast<double>(moment.step);
    }
    if (!schedule.moments.empty() && moment.time <= schedule.moments.back().time) continue;
    schedule.moments.push_back(moment);
  }
  schedule.pictures = pictures_among(schedule.moments, first, config.record.embeddings);
  return schedule;
}

Schedule make_schedule(const SimulateConfig& config, const std::vector<double>& gamma, const std::vector<double>& s0,
                       const std::optional<double>& rate) {
  // After that long a mode is learned to one part in 10^5.
  constexpr double settled = 12;
  const double momentum = config.network.momentum;
  double first = 0;
  double end = 0;
  for (std::size_t j = 0; j < gamma.size(); ++j) {
    const double speed = rate && momentum > 0 ? descent_speed(gamma[j], *rate, momentum) : 1;
    const double scale = 1 / (8 * gamma[j] * speed);
    const double rise = half_rise(gamma[j], s0[j]) / speed;
    const double learned = std::isnan(rise) ? scale : std::max(rise, scale);
    first = j == 0 ? learned : std::min(first, learned);
    end = std::max(end, learned + settled * scale);
  }
  // What oscillates falls by sqrt(m) a step.
  if (rate && momentum > 0) end += 2 * settled * *rate / (1 - momentum);
  const bool given = config.training.time || config.training.steps;
  if (!std::isfinite(end) && !given) {
    fail(ExitCode::input, "mode {} starts at zero and is never learned: there is no end, give --training.{}",
         1 + (std::min_element(s0.begin(), s0.end()) - s0.begin()), rate ? "steps" : "time");
  }
  return spread_moments(config, first, end, rate);
}

Prediction predict(const Communicator& comm, std::vector<double> gamma, InitialCondition start,
                   const Schedule& schedule, const std::optional<double>& rate, double momentum) {
  Prediction prediction{std::move(gamma), std::move(start), {}, {}, {}, {}};
  const std::vector<double> times = times_of(schedule);
  const std::vector<double>& s0 = prediction.start.s0;
  prediction.s = singular_values(prediction.gamma, s0, schedule, rate, momentum);
  stop_together(comm);
  prediction.path = trajectory_of(prediction.gamma, prediction.s, times);
  if (rate) {
    std::vector<double> of_flow = times;  // momentum m makes steps 1 / (1 - m) times as long, once it has built up
    for (double& time : of_flow) time /= 1 - momentum;
    prediction.flow = trajectory(prediction.gamma, s0, of_flow);
  }
  for (std::size_t j = 0; j < prediction.gamma.size(); ++j) {
    std::vector<double> curve;
    for (std::size_t k = j; k < prediction.path.lambda.size(); k += prediction.gamma.size()) {
      curve.push_back(prediction.path.lambda[k]);
    }
    const double rise = rate ? half_rise_of(times, curve) : half_rise(prediction.gamma[j], s0[j]);
    prediction.half_rise.push_back(curve.front() < 0.5 ? rise : std::numeric_limits<double>::quiet_NaN());
  }
  return prediction;
}

void warn_of_large_start(const Study& study, const Prediction& prediction) {
  const auto d = std::ssize(prediction.gamma);
  const auto large = std::count_if(prediction.path.lambda.begin(), prediction.path.lambda.begin() + d,
                                   [](double lambda) { return lambda >= 0.5; });
  if (large == 0) return;
  study.report.warn(
      fmt::format("{} of {} modes start at lambda = 1/2 or above: the initial weights are not small, as the prediction "
                  "needs them unless they are aligned with the modes; --dynamics.alpha is {:.3g}{}",
                  large, d, study.config.problem.dynamics.alpha,
                  study.config.training.start.empty() ? "" : ", and they are those of --training.start"));
}

BlockVector predicted_embeddings(const Prediction& prediction, std::int64_t record,
                                 const BlockVector& final_embedding) {
  const std::int64_t d = final_embedding.width;
  std::vector<double> rotated = prediction.start.u;  // U S(t) Gamma^{1/2}
  for (std::int64_t j = 0; j < d; ++j) {
    const double factor = prediction.s[static_cast<std::size_t>(record * d + j)] *
                          std::sqrt(prediction.gamma[static_cast<std::size_t>(j)]);
    for (std::int64_t i = 0; i < d; ++i) rotated[static_cast<std::size_t>(i + j * d)] *= factor;
  }
  BlockVector f = final_embedding;
  gemm(1, Transpose::no, {rotated.data(), d, d, d}, Transpose::no, final_embedding.local(), 0, f.local());
  return f;
}

double relative_distance(const BlockVector& f, const BlockVector& g, const Communicator& comm) {
  std::vector<double> sums(2);
  for (std::size_t i = 0; i < f.data.size(); ++i) {
    sums[0] += (f.data[i] - g.data[i]) * (f.data[i] - g.data[i]);
    sums[1] += g.data[i] * g.data[i];
  }
  sum(comm, sums);
  return std::sqrt(sums[0] / sums[1]);
}

void record_prediction(Simulation& simulation, const Prediction& prediction) {
  const auto d = static_cast<std::int64_t>(prediction.gamma.size());
  const auto modes = static_cast<hsize_t>(d);
  std::vector<SeriesDataset>& rows = simulation.recorded;
  rows.push_back({{"/predicted/loss", "1", "loss that the theory predicts for this training", {}}, {}});
  rows.push_back({{"/predicted/lambda", "1", "eigenvalues of C that it predicts, mode by mode", {"/mode"}}, {modes}});
  rows.push_back({{"/difference/loss", "1", "measured - predicted loss", {}}, {}});
  rows.push_back(
      {{"/difference/lambda", "1", "measured - predicted eigenvalues of C, both descending", {"/mode"}}, {modes}});
  if (prediction.flow) {
    rows.push_back(
        {{"/predicted/flow_loss", "1", "loss of gradient flow, which descent tends to at small rates", {}}, {}});
    rows.push_back(
        {{"/predicted/flow_lambda", "1", "eigenvalues of C of gradient flow (Prop. 4.1)", {"/mode"}}, {modes}});
  }
  simulation.measure = [measure = simulation.measure, &prediction, d](std::int64_t record) {
    Measurement seen = measure(record);
    const auto at = static_cast<std::size_t>(record);
    const Trajectory& path = prediction.path;
    const std::vector<double> expected = sorted_row(path.lambda, record, d);
    std::vector<double> apart = seen.lambda;
    for (std::size_t j = 0; j < apart.size(); ++j) apart[j] -= expected[j];
    seen.more.emplace_back(std::vector<double>{path.loss[at]});
    seen.more.emplace_back(row_of(path.lambda, record, d));
    seen.more.emplace_back(std::vector<double>{seen.loss - path.loss[at]});
    seen.more.emplace_back(std::move(apart));
    if (prediction.flow) {
      seen.more.emplace_back(std::vector<double>{prediction.flow->loss[at]});
      seen.more.emplace_back(row_of(prediction.flow->lambda, record, d));
    }
    return seen;
  };
}

}  // namespace stepwise
