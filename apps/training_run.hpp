#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "checkpoint.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/io/series_file.hpp"

namespace stepwise {

/// A moment of training.
struct Moment {
  std::int64_t step = 0;
  double time = 0;  ///< learning rate x steps
};

/// One entry of a series: numbers that every rank has, or samples dealt out over the ranks.
using Entry = std::variant<std::vector<double>, BlockVector>;

/// What is seen of a model at a moment.
struct Measurement {
  double loss = 0;
  std::vector<double> lambda;  ///< eigenvalues of C, descending
  std::vector<Entry> more;     ///< in the order of Simulation::recorded
};

enum class Way { under_way, arrived, diverged };

/// How far a model has come on its way to a moment.
struct Advance {
  Way way = Way::arrived;
  double loss = 0;  ///< where it diverged
};

/// A model in training, whatever it is. All functions are collective.
struct Simulation {
  std::string group;  ///< of the file, where there are several: "/sharpened"
  std::string name;   ///< for people: "training", "training by the sharpened loss"
  /// Datasets of Measurement::more and of `pictures`: paths within the group, scales among them as "/..time" say.
  std::vector<SeriesDataset> recorded = {};
  std::vector<SeriesDataset> pictured = {};

  std::function<Moment()> now;
  /// Goes on by a step, or some, not beyond `end`, or says that it is there.
  std::function<Advance(const Moment& end)> advance;
  /// Of the model as it is now, at moment number `record` of the schedule.
  std::function<Measurement(std::int64_t record)> measure;
  std::function<std::vector<Entry>(std::int64_t record)> pictures = {};  ///< in the order of `pictured`
  /// All that a run needs to go on bit by bit.
  std::function<void(CheckpointWriter&)> save;
  std::function<void(CheckpointReader&)> load;
  std::string advice;  ///< where it diverges: "the largest stable --training.rate is 1e-3"
};

/// When what is recorded.
struct Schedule {
  std::vector<Moment> moments;         ///< ascending, from the start; at each of them measure()
  std::vector<std::int64_t> pictures;  ///< numbers of those at which pictures() too
};

/// What was measured in one simulation.
struct History {
  std::vector<double> time;    ///< T
  std::vector<double> loss;    ///< T
  std::vector<double> lambda;  ///< T x d, row-major
};

/// What a file gets at its end.
struct Epilogue {
  ObjectAttributes attributes;
  std::vector<FixedDataset> datasets;
};

/// A file of records and what is known of it before.
struct Record {
  const Communicator& comm;
  std::string output;
  bool force = false;
  SeriesLayout layout;  ///< without series, but with the scales /mode, and of what is recorded
  std::int64_t outputs = 0;
  /// What the schedule depends on and checkpoints need beside the model's state: called before the first one.
  std::function<void()> keep_before = {};
};

/// Trains one simulation after the other, all on the same schedule, and records them in a file that can be read
/// meanwhile; keeps checkpoints, and goes on from the one that is there. `finish` makes what the file gets at its end.
/// Collective. Returns the file's size. @throws CollectiveError(numerical) when training diverges, (stopped); the
/// records so far are then in OUTPUT.partial.
std::int64_t train(const Record& record, const std::vector<Simulation>& simulations, const Schedule& schedule,
                   Checkpoint& checkpoint, Report& report,
                   const std::function<Epilogue(const std::vector<History>&)>& finish);

}  // namespace stepwise
