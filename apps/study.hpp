#pragma once

#include <string>

#include "checkpoint.hpp"
#include "problem.hpp"
#include "simulate_config.hpp"
#include "stepwise/cli/report.hpp"
#include "training_run.hpp"

namespace stepwise {

/// One run of `stepwise simulate`: what is to be trained, and where it is recorded.
struct Study {
  const Communicator& comm;
  SimulateConfig& config;  ///< with every "auto" about the data resolved
  const std::string& command;
  Checkpoint& checkpoint;
  Report& report;
  bool replace = false;              ///< what is under the output's partial name
  const Problem* problem = nullptr;  ///< of models with data
  std::string method = {};           ///< that finds its modes
  std::string inputs_checksum = {};
};

/// The modes that the theory predicts from. Collective. @throws CollectiveError, (stopped) among them.
[[nodiscard]] FoundModes modes_of(const Study& study);

/// A file with the attributes of every simulation and these datasets. Collective.
[[nodiscard]] Record begin_record(const Study& study, std::int64_t outputs, std::vector<FixedDataset> datasets);

/// The last words on the terminal; `size` is the file's.
void conclude(const Study& study, std::int64_t size, const std::string& text);

// The models, each from its start to the file. Collective. @throws CollectiveError, (stopped) among them.

/// f(x) = W x, or a model of any kernel, by the losses of C that are asked for.
void simulate_correlation(const Study& study);
/// The model in its own modes: A(t) of paper Fig. 6.
void simulate_system(const Study& study);
/// Kernel regression on labels.
void simulate_supervised(const Study& study);
/// A network of finite width by gradient descent.
void simulate_network(const Study& study);

}  // namespace stepwise
