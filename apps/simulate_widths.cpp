#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "network_config.hpp"
#include "solve_plan.hpp"
#include "stepwise/dist/agree.hpp"
#include "study.hpp"
#include "width_output.hpp"

namespace stepwise {
namespace {

constexpr const char* state_name = "widths.h5";

/// One thread until the end of the scope: trainings are then the same bit by bit, however many ranks share the cores.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() { omp_set_num_threads(before_); }

 private:
  int before_;
};

/// Local. @throws Error(input) where a loss needs labels and there are none.
WidthTask task_of(const Study& study, const WidthPlan& plan, std::int64_t inputs) {
  const SimulateConfig& config = study.config;
  std::map<std::string, StudyLoss> losses;
  for (const WidthVariant& variant : plan.variants) {
    if (losses.contains(variant.loss)) continue;
    losses[variant.loss] = variant.loss == "logistic" ? StudyLoss(Logistic{sides_of(study.problem->pairs)})
                                                      : StudyLoss(pair_loss_of(config, variant.loss));
  }
  return {inputs,
          config.study.alpha,
          *config.training.rate,
          *config.training.steps,
          config.problem.seed,
          config.study.linearised,
          std::move(losses)};
}

void check_width_memory(const Study& study, const WidthPlan& plan, std::int64_t inputs) {
  std::int64_t outputs = 0;
  for (const WidthVariant& variant : plan.variants) outputs = std::max(outputs, variant.outputs);
  const auto samples = static_cast<double>(study.problem->samples);
  const auto width = static_cast<double>(plan.widths.back());
  const auto m = static_cast<double>(inputs);
  const auto d = static_cast<double>(outputs);
  const double numbers = 2 * width * m + 5 * width * (std::min(m, samples) + d) + 4 * width * d * samples +
                         2 * samples * samples + 2 * samples * m;
  check_map_memory(
      study.comm, numbers,
      fmt::format("--study.widths up to {} with {} inputs, one training a rank", plan.widths.back(), inputs));
}

/// Trains all of a plan, each on one rank, the widest first, as many at a time as there are ranks.
class WidthTrainings {
 public:
  WidthTrainings(const Study& study, const WidthPlan& plan, const WidthTask& task, const Samples& samples)
      : study_(study), plan_(plan), task_(task), samples_(samples), results_(plan.runs() * width_statistics.size()) {
    order_.resize(plan.runs());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) { return cost(a) > cost(b); });
    if (const auto reader = study.checkpoint.open(state_name)) {
      done_ = reader->counts("/done").at(0);
      results_ = reader->numbers("/results");
      study.report.note(fmt::format("going on after {} of {} trainings", done_, plan.runs()));
    }
  }

  WidthResults run() {
    try {
      study_.report.stage("training", 0, [&](const auto& progress) {
        while (done_ < std::ssize(order_)) {
          train_some();
          progress(fraction_done());
          study_.checkpoint.safe_point([&] { keep(); });
        }
      });
    } catch (const CollectiveError& error) {
      if (error.code() == ExitCode::stopped) keep();
      throw;
    }
    WidthResults results(plan_.runs());
    for (std::size_t i = 0; i < results_.size(); ++i) {
      results[i / width_statistics.size()].*width_statistics[i % width_statistics.size()].value = results_[i];
    }
    return results;
  }

 private:
  [[nodiscard]] double cost(std::size_t place) const {
    const auto of_width = static_cast<std::size_t>(plan_.seeds);
    return static_cast<double>(plan_.widths[place / of_width % plan_.widths.size()]);
  }

  [[nodiscard]] double fraction_done() const {
    double done = 0;
    double all = 0;
    for (std::int64_t i = 0; i < std::ssize(order_); ++i) {
      const double one = cost(order_[static_cast<std::size_t>(i)]);
      all += one;
      if (i < done_) done += one;
    }
    return done / all;
  }

  /// One training on each rank.
  void train_some() {
    const std::size_t numbers = width_statistics.size();
    const auto count = std::min<std::int64_t>(study_.comm.size(), std::ssize(order_) - done_);
    std::vector<double> trained(static_cast<std::size_t>(count) * numbers);
    attempt(study_.comm, [&] {
      const auto mine = static_cast<std::size_t>(study_.comm.rank());
      if (study_.comm.rank() >= count) return;
      const WidthRun run = make_run(plan_, task_, order_[static_cast<std::size_t>(done_) + mine]);
      const WidthResult result = train_width(
          run, {samples_.data.data(), samples_.features, samples_.count, samples_.features}, study_.problem->pairing);
      for (std::size_t k = 0; k < numbers; ++k) trained[mine * numbers + k] = result.*width_statistics[k].value;
    });
    sum(study_.comm, trained);  // zeros from all others
    for (std::int64_t i = 0; i < count; ++i) {
      const std::size_t place = order_[static_cast<std::size_t>(done_ + i)];
      std::copy_n(trained.data() + static_cast<std::size_t>(i) * numbers, numbers, results_.data() + place * numbers);
    }
    done_ += count;
  }

  void keep() {
    study_.checkpoint.keep(state_name, [&](CheckpointWriter& writer) {
      writer.counts("/done", std::vector<std::int64_t>{done_});
      writer.numbers("/results", results_);
    });
  }

  const Study& study_;
  const WidthPlan& plan_;
  const WidthTask& task_;
  const Samples& samples_;
  std::vector<double> results_;     // place by place, the numbers of width_statistics
  std::vector<std::size_t> order_;  // places
  std::int64_t done_ = 0;           // in this order
};

/// Says which trainings diverged; those at least that fit on a screen.
void report_diverged(const Study& study, const WidthPlan& plan, const WidthTask& task, const WidthResults& results) {
  constexpr std::size_t most = 10;
  const std::vector<std::string> texts = diverged_runs(plan, task, results);
  study.report.result("diverged", std::ssize(texts));
  if (texts.size() == plan.runs()) {
    throw CollectiveError(ExitCode::numerical,
                          fmt::format("all {} trainings diverge; {}: choose a --training.rate below {}", texts.size(),
                                      texts.front(), task.rate));
  }
  for (std::size_t i = 0; i < std::min(texts.size(), most); ++i) study.report.warn(texts[i] + ": left out");
  if (texts.size() > most) {
    study.report.warn(fmt::format("{} more trainings diverge; /study/steps tells which", texts.size() - most));
  }
}

}  // namespace

void simulate_widths(const Study& study) {
  const SimulateConfig& config = study.config;
  const Problem& problem = *study.problem;
  const WidthPlan plan = plan_widths(config.study);
  const Samples samples = attempt(study.comm, [&] { return load_range(problem, {0, problem.samples}); });
  check_width_memory(study, plan, samples.features);
  const WidthTask task = attempt(study.comm, [&] { return task_of(study, plan, samples.features); });

  const OneThread alone;
  const WidthResults results = WidthTrainings(study, plan, task, samples).run();
  report_diverged(study, plan, task, results);
  const Record record = begin_record(study, 0, width_datasets(plan, task.seed, results));
  SeriesFile file(study.comm, record.output, record.force, record.layout);
  conclude(study, file.finish("complete"), width_table(plan, results));
}

}  // namespace stepwise
