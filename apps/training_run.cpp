#include "training_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

constexpr const char* state_name = "training.h5";
constexpr const char* time_units = "learning rate x steps / units of k";

/// Where training is, beside the model's own state.
struct Place {
  std::int64_t simulation = 0;
  std::int64_t record = 0;         ///< the next of the present simulation
  std::vector<History> histories;  ///< of each simulation
};

std::string within(const Simulation& simulation, const std::string& path) {
  return simulation.group + path;
}

/// Times, and what is recorded at each.
Series series_of_times(const Simulation& simulation, std::int64_t outputs) {
  const std::string time = within(simulation, "/time");
  const auto d = static_cast<hsize_t>(outputs);
  Series series{"time", {}};
  series.datasets.push_back({{time, time_units, "training time t, learning rate x steps", {}}, {}});
  series.datasets.push_back({{within(simulation, "/step"), "1", "steps so far", {time}}, {}, true});
  series.datasets.push_back({{within(simulation, "/measured/loss"), "1", "loss", {time}}, {}});
  if (outputs > 0) {
    series.datasets.push_back(
        {{within(simulation, "/measured/lambda"), "1", "eigenvalues of C, descending", {time, "/mode"}}, {d}});
  }
  return series;
}

/// The datasets of a simulation, with the names that they have in the file.
void add_datasets(Series& series, const Simulation& simulation, std::vector<SeriesDataset> datasets,
                  const std::string& scale) {
  for (SeriesDataset& dataset : datasets) {
    dataset.info.path = within(simulation, dataset.info.path);
    dataset.info.scales.insert(dataset.info.scales.begin(), within(simulation, scale));
    series.datasets.push_back(std::move(dataset));
  }
}

SeriesLayout layout_of(const Record& record, const std::vector<Simulation>& simulations) {
  SeriesLayout layout = record.layout;
  for (const Simulation& simulation : simulations) {
    add_datasets(layout.series.emplace_back(series_of_times(simulation, record.outputs)), simulation,
                 simulation.recorded, "/time");
    if (simulation.pictured.empty()) continue;
    Series& pictures = layout.series.emplace_back(Series{"snapshot", {}});
    pictures.datasets.push_back(
        {{within(simulation, "/snapshot"), time_units, "times at which embeddings are recorded", {}}, {}});
    add_datasets(pictures, simulation, simulation.pictured, "/snapshot");
  }
  return layout;
}

std::vector<DatasetValues> record_of(const std::vector<Entry>& entries) {
  std::vector<DatasetValues> values;
  for (const Entry& entry : entries) {
    if (const auto* block = std::get_if<BlockVector>(&entry)) {
      values.emplace_back(block);
    } else {
      values.emplace_back(std::get<std::vector<double>>(entry));
    }
  }
  return values;
}

/// All that goes on while simulations run.
class TrainingRun {
 public:
  TrainingRun(const Record& record, const std::vector<Simulation>& simulations, const Schedule& schedule,
              Checkpoint& checkpoint, Report& report)
      : record_(record),
        simulations_(simulations),
        schedule_(schedule),
        checkpoint_(checkpoint),
        report_(report),
        place_(find_place()),
        file_(open_file()) {}

  std::int64_t run(const std::function<Epilogue(const std::vector<History>&)>& finish) {
    try {
      for (; place_.simulation < std::ssize(simulations_); ++place_.simulation) {
        report_.stage(present().name, 0, [&](const Progress& progress) { train_present(progress); });
        place_.record = 0;
      }
    } catch (const CollectiveError& error) {
      if (error.code() != ExitCode::stopped) throw;
      keep();
      file_.finish("stopped");
      throw;
    }
    const Epilogue epilogue = finish(place_.histories);
    return file_.finish("complete", epilogue.attributes, epilogue.datasets);
  }

 private:
  [[nodiscard]] const Simulation& present() const { return simulations_[static_cast<std::size_t>(place_.simulation)]; }

  /// The beginning, or where the checkpoint is; the present simulation is then as it was.
  Place find_place() {
    Place place;
    place.histories.resize(simulations_.size());
    const std::unique_ptr<CheckpointReader> reader = checkpoint_.open(state_name);
    if (!reader) return place;
    const auto counts = reader->counts("/place");
    place.simulation = counts.at(0);
    place.record = counts.at(1);
    for (std::size_t i = 0; i < place.histories.size(); ++i) {
      place.histories[i] = {reader->numbers(fmt::format("/history/{}/time", i)),
                            reader->numbers(fmt::format("/history/{}/loss", i)),
                            reader->numbers(fmt::format("/history/{}/lambda", i))};
    }
    const Simulation& simulation = simulations_[static_cast<std::size_t>(place.simulation)];
    simulation.load(*reader);
    report_.note(fmt::format("going on with {} after step {}", simulation.name, simulation.now().step));
    return place;
  }

  void keep() {
    if (record_.keep_before && !kept_) record_.keep_before();
    kept_ = true;
    file_.sync();
    checkpoint_.keep(state_name, [&](CheckpointWriter& writer) {
      writer.counts("/place", std::vector<std::int64_t>{place_.simulation, place_.record});
      for (std::size_t i = 0; i < place_.histories.size(); ++i) {
        writer.numbers(fmt::format("/history/{}/time", i), place_.histories[i].time);
        writer.numbers(fmt::format("/history/{}/loss", i), place_.histories[i].loss);
        writer.numbers(fmt::format("/history/{}/lambda", i), place_.histories[i].lambda);
      }
      present().save(writer);
    });
  }

  /// How many records each series has by now.
  [[nodiscard]] std::vector<std::int64_t> counts() const {
    std::vector<std::int64_t> counts;
    for (std::int64_t i = 0; i < std::ssize(simulations_); ++i) {
      const std::int64_t done = i < place_.simulation    ? std::ssize(schedule_.moments)
                                : i == place_.simulation ? place_.record
                                                         : 0;
      counts.push_back(done);
      if (simulations_[static_cast<std::size_t>(i)].pictured.empty()) continue;
      counts.push_back(std::count_if(schedule_.pictures.begin(), schedule_.pictures.end(),
                                     [done](std::int64_t record) { return record < done; }));
    }
    return counts;
  }

  SeriesFile open_file() {
    const SeriesLayout layout = layout_of(record_, simulations_);
    if (place_.simulation > 0 || place_.record > 0) {
      return {record_.comm, record_.output, record_.force, layout, counts()};
    }
    return {record_.comm, record_.output, record_.force, layout};
  }

  [[nodiscard]] std::size_t series_of_present() const {
    std::int64_t series = 0;
    for (std::int64_t i = 0; i < place_.simulation; ++i) {
      series += simulations_[static_cast<std::size_t>(i)].pictured.empty() ? 1 : 2;
    }
    return static_cast<std::size_t>(series);
  }

  void train_present(const Progress& progress) {
    const Simulation& simulation = present();
    const double end = schedule_.moments.back().time;
    for (; place_.record < std::ssize(schedule_.moments); ++place_.record) {
      const Moment target = schedule_.moments[static_cast<std::size_t>(place_.record)];
      for (;;) {
        const Advance advance = simulation.advance(target);
        if (advance.way == Way::diverged) diverge(advance.loss);
        progress(simulation.now().time / end);
        if (advance.way == Way::arrived) break;
        checkpoint_.safe_point([&] { keep(); });
      }
      take_down();
    }
  }

  /// Records the present simulation as it is.
  void take_down() {
    const Simulation& simulation = present();
    const Moment now = simulation.now();
    const Measurement measured = simulation.measure(place_.record);
    std::vector<DatasetValues> values{std::vector<double>{now.time}, std::vector<std::int64_t>{now.step},
                                      std::vector<double>{measured.loss}};
    if (record_.outputs > 0) values.emplace_back(measured.lambda);
    for (DatasetValues& more : record_of(measured.more)) values.push_back(std::move(more));
    file_.append(series_of_present(), values);
    if (!simulation.pictured.empty() &&
        std::binary_search(schedule_.pictures.begin(), schedule_.pictures.end(), place_.record)) {
      const std::vector<Entry> entries = simulation.pictures(place_.record);
      std::vector<DatasetValues> pictures{std::vector<double>{now.time}};
      for (DatasetValues& more : record_of(entries)) pictures.push_back(std::move(more));
      file_.append(series_of_present() + 1, pictures);
    }
    History& history = place_.histories[static_cast<std::size_t>(place_.simulation)];
    tell_what_is_learned(history, measured, now);
    history.time.push_back(now.time);
    history.loss.push_back(measured.loss);
    history.lambda.insert(history.lambda.end(), measured.lambda.begin(), measured.lambda.end());
  }

  /// Steps are what a long run is watched for.
  void tell_what_is_learned(const History& history, const Measurement& measured, const Moment& now) {
    const auto learned = [](auto begin, auto end) {
      return std::count_if(begin, end, [](double l) { return l >= 0.5; });
    };
    const auto d = static_cast<std::ptrdiff_t>(measured.lambda.size());
    if (history.time.empty()) most_learned_ = 0;
    const std::int64_t after = learned(measured.lambda.begin(), measured.lambda.end());
    if (after <= most_learned_) return;
    most_learned_ = after;
    report_.log().write({LogLevel::info,
                         "learned",
                         fmt::format("{} of {} modes learned at step {}, time {:.5g}; loss {:.5g}", after, d, now.step,
                                     now.time, measured.loss),
                         {},
                         {{"modes", after}, {"step", now.step}, {"time", now.time}, {"loss", measured.loss}}});
  }

  [[noreturn]] void diverge(double loss) {
    const Simulation& simulation = present();
    const Moment now = simulation.now();
    const std::vector<double>& losses = place_.histories[static_cast<std::size_t>(place_.simulation)].loss;
    file_.finish("diverged", {{"/", {{"diverged_step", now.step}, {"diverged_loss", loss}}}});
    checkpoint_.remove();
    throw CollectiveError(
        ExitCode::numerical,
        fmt::format(
            "{} diverges: at step {}, time {:.6g}, the loss is {:.4g}, and was {:.4g} at the start; {}. What was "
            "recorded by then is in {}",
            simulation.name, now.step, now.time, loss, losses.empty() ? loss : losses.front(), simulation.advice,
            file_.partial_path()));
  }

  const Record& record_;
  const std::vector<Simulation>& simulations_;
  const Schedule& schedule_;
  Checkpoint& checkpoint_;
  Report& report_;
  Place place_;
  SeriesFile file_;
  bool kept_ = false;
  std::int64_t most_learned_ = 0;  // modes, by the present simulation
};

}  // namespace

std::int64_t train(const Record& record, const std::vector<Simulation>& simulations, const Schedule& schedule,
                   Checkpoint& checkpoint, Report& report,
                   const std::function<Epilogue(const std::vector<History>&)>& finish) {
  return TrainingRun(record, simulations, schedule, checkpoint, report).run(finish);
}

}  // namespace stepwise
